// Copies made anew: of a standby that fell too far behind, of one that is lost, of a home that is; and releases with new columns.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../cell-template/database.ts';
import { migrate } from '../../cell-template/migrate.ts';
import { standbyDatabase, standbySubscription } from '../../cell-template/standby/names.ts';
import { appliedUpTo, writtenUpTo } from '../../cell-template/standby/position.ts';
import { Recovery } from '../../cell-template/standby/recovery.ts';
import { lookHere, lookThere } from '../../cell-template/standby/look.ts';
import { Partner } from '../../cell-template/standby/partner.ts';
import { Standings } from '../../cell-template/standby/standings.ts';
import { endUndeclared, migrateStandby } from '../../cell-template/standby/standby-database.ts';
import { ask } from '../support/cell-database.ts';
import {
  copyMigrations,
  startDatabasePair,
  sharedServers,
  type DatabasePair,
} from '../support/database-pair.ts';
import { until } from '../support/wait.ts';

const servers = sharedServers();

async function startPair(more: Parameters<typeof startDatabasePair>[2] = {}): Promise<DatabasePair> {
  const pair = await startDatabasePair(servers.here(), servers.there(), more);
  onTestFinished(() => pair.close());
  return pair;
}

async function place(url: string, item: string, epoch = 1): Promise<void> {
  await ask(
    url,
    `insert into orders (tenant, id, item, quantity, epoch) values ('acme', gen_random_uuid(), $1, 1, $2)`,
    [item, epoch],
  );
}

async function itemsAt(url: string): Promise<string[]> {
  const rows = await ask<{ item: string }>(url, 'select item from orders order by item');
  return rows.map(({ item }) => item);
}

async function shows(url: string, items: string[]): Promise<void> {
  await until(`it has ${items.join(', ')}`, async () => (await itemsAt(url)).join() === items.join());
}

/** The server that a position is of. */
function systemIn(position: string): string | null {
  return position.split('/')[0] ?? null;
}

/** As if the WAL that the standby needs had been given up: its slot is gone. Whoever reads from it is back after a second. */
async function loseSlot(pair: DatabasePair): Promise<void> {
  const slots = 'from pg_replication_slots where starts_with(slot_name, $1)';
  const name = `${standbySubscription(pair.home)}_`;
  await until('the slot is dropped', async () => {
    await ask(pair.homeUrl, `select pg_terminate_backend(active_pid) ${slots} and active_pid is not null`, [
      name,
    ]);
    const dropped = await ask(
      pair.homeUrl,
      `select pg_drop_replication_slot(slot_name) ${slots} and active_pid is null`,
      [name],
    ).catch(() => []);
    return dropped.length > 0;
  });
}

test('a standby whose slot is gone is copied anew, over the rows that it has', async () => {
  const pair = await startPair();
  await place(pair.homeUrl, 'a');
  await shows(pair.standbyUrl, ['a']);
  await loseSlot(pair);
  await place(pair.homeUrl, 'b');
  await shows(pair.standbyUrl, ['a', 'b']);
  await pair.synced();
  await place(pair.standbyUrl, 'c', 2);
  await shows(pair.homeUrl, ['a', 'b', 'c']);
});

test('a copy anew takes nothing back that a guest wrote meanwhile', async () => {
  const pair = await startPair();
  await place(pair.homeUrl, 'a');
  await shows(pair.standbyUrl, ['a']);
  await loseSlot(pair);
  await ask(pair.standbyUrl, `update orders set item = 'guest', epoch = 2`);
  await until('it is copied anew', () => pair.nextDoor.standingOf(pair.home)?.state === 'copying');
  await pair.synced();
  expect(await itemsAt(pair.standbyUrl)).toEqual(['guest']);
  await shows(pair.homeUrl, ['guest']);
});

test('a standby that was lost is made again', async () => {
  const pair = await startPair();
  await place(pair.homeUrl, 'a');
  await shows(pair.standbyUrl, ['a']);
  const slot = standbySubscription(pair.home);
  // At once: the link would mend what is half done.
  await ask(
    pair.standbyUrl,
    `alter subscription "${slot}" disable; alter subscription "${slot}" set (slot_name = none); drop subscription "${slot}"`,
  );
  await shows(pair.standbyUrl, ['a']);
  await place(pair.homeUrl, 'b');
  await shows(pair.standbyUrl, ['a', 'b']);
});

test('a home that is empty while its standby is not is found so, also after another start', async () => {
  const pair = await startPair();
  await place(pair.homeUrl, 'a');
  await shows(pair.standbyUrl, ['a']);
  const silent = pino({ level: 'silent' });
  await ask(servers.here().url, `create database "${pair.home}-again"`);
  const again = pair.homeUrl.replace(pair.home, `${pair.home}-again`);
  await migrate(again, join(import.meta.dirname, '../../cell-template/migrations'));
  let isCopied = false;
  const start = async (): Promise<Recovery> => {
    const recovery = new Recovery({
      cellId: pair.home,
      url: again,
      neighbourUrl: servers.there().url,
      isCopied: () => isCopied,
      logger: silent,
    });
    onTestFinished(() => recovery.close());
    await recovery.start();
    return recovery;
  };
  expect((await start()).servesNobody).toBe(true);
  const second = await start();
  expect(second.servesNobody).toBe(true);
  isCopied = true;
  await second.whole;
  expect(second.servesNobody).toBe(false);
});

test('a column that is added at the standby first, then at home, stops nothing', async () => {
  const migrations = await copyMigrations();
  onTestFinished(() => rm(migrations, { recursive: true, force: true }));
  const pair = await startPair();
  await writeFile(join(migrations, '900-note.sql'), `alter table public.orders add column note text`);
  expect(await migrateStandby(servers.there().url, pair.home, migrations)).toEqual(['900-note.sql']);
  await place(pair.homeUrl, 'before');
  await shows(pair.standbyUrl, ['before']);
  await migrate(pair.homeUrl, migrations);
  await ask(
    pair.homeUrl,
    `insert into orders (tenant, id, item, quantity, note) values ('acme', gen_random_uuid(), 'noted', 1, 'a note')`,
  );
  await shows(pair.standbyUrl, ['before', 'noted']);
  expect(await ask(pair.standbyUrl, `select note from orders where item = 'noted'`)).toEqual([
    { note: 'a note' },
  ]);
});

test('a column that home had first breaks the standby, which says so, and heals once it is migrated', async () => {
  const migrations = await copyMigrations();
  onTestFinished(() => rm(migrations, { recursive: true, force: true }));
  const pair = await startPair();
  await writeFile(join(migrations, '900-note.sql'), `alter table public.orders add column note text`);
  await migrate(pair.homeUrl, migrations);
  await place(pair.homeUrl, 'noted');
  await until('it is broken', () => pair.nextDoor.standingOf(pair.home)?.state === 'broken');
  await migrateStandby(servers.there().url, pair.home, migrations);
  await shows(pair.standbyUrl, ['noted']);
  await pair.synced();
});

test('a position that home has passed is waited for next door', async () => {
  const pair = await startPair();
  const [home, standby] = [pair.homeUrl, pair.standbyUrl].map((url) => openDatabase(url, () => undefined));
  if (home === undefined || standby === undefined) throw new Error('two databases');
  onTestFinished(async () => void (await Promise.all([home.close(), standby.close()])));
  await place(pair.homeUrl, 'a');
  const position = await writtenUpTo(home, pair.home);
  await appliedUpTo(standby, standbySubscription(pair.home), position, AbortSignal.timeout(30_000), () =>
    systemIn(position),
  );
  expect(await itemsAt(pair.standbyUrl)).toEqual(['a']);
});

test('a position that nobody reached is waited for until the wait is ended', async () => {
  const pair = await startPair();
  const standby = openDatabase(pair.standbyUrl, () => undefined);
  onTestFinished(() => standby.close());
  const position = '1/FFFFFFFF/0';
  const waiting = appliedUpTo(
    standby,
    standbySubscription(pair.home),
    position,
    AbortSignal.timeout(200),
    () => '1',
  );
  await expect(waiting).rejects.toThrow();
});

test('a position of another server than the one that feeds the copy is not taken for reached', async () => {
  const pair = await startPair();
  const [home, standby] = [pair.homeUrl, pair.standbyUrl].map((url) => openDatabase(url, () => undefined));
  if (home === undefined || standby === undefined) throw new Error('two databases');
  onTestFinished(async () => void (await Promise.all([home.close(), standby.close()])));
  const [, lsn] = /^\d+\/(.*)$/.exec(await writtenUpTo(home, pair.home)) ?? [];
  const fed = (): string | null =>
    pair.nextDoor.publisherInto({ home: pair.home, role: 'standby', url: '', database: standby });
  const waiting = appliedUpTo(
    standby,
    standbySubscription(pair.home),
    `12345/${lsn}`,
    AbortSignal.timeout(300),
    fed,
  );
  await expect(waiting).rejects.toThrow();
});

test('a lag goes on from where it was when a cell comes back, as does a state', async () => {
  const pair = await startPair();
  await pair.closeLinks();
  const slot = standbySubscription(pair.home);
  await ask(pair.standbyUrl, `alter subscription "${slot}" disable`);
  await ask(
    pair.standbyUrl,
    `update looks set state = 'broken', looked_at = clock_timestamp() - interval '10 minutes'`,
  );
  await place(pair.homeUrl, 'not there yet');
  const again = new Standings(slot, new Partner(pair.standbyUrl));
  const [there, here] = [new Partner(pair.homeUrl), new Partner(pair.standbyUrl)];
  onTestFinished(async () => void (await Promise.all([there.close(), here.close()])));
  const looked = await lookHere(here, slot);
  await again.recall(looked);
  expect(again.now.state).toBe('broken');
  const { slotName } = looked ?? {};
  again.weigh(looked, await lookThere(there, slotName ?? ''));
  expect(again.now.state).toBe('broken');
  expect(again.now.lagSeconds).toBeGreaterThanOrEqual(600);
});

test('a cell that is the neighbour no more stops taking what its former home writes', async () => {
  const pair = await startPair();
  await pair.closeLinks();
  expect(await endUndeclared(servers.there().url, 'another cell on that server', [])).toEqual([]);
  expect(await endUndeclared(servers.there().url, 'neighbour', [])).toContain(standbySubscription(pair.home));
  await place(pair.homeUrl, 'later');
  expect(
    await ask(
      pair.standbyUrl,
      'select from pg_subscription s join pg_database d on d.oid = s.subdbid where datname = current_database()',
    ),
  ).toEqual([]);
});

test('a copy that was made while another cell was the neighbour is made anew when this one becomes it', async () => {
  const pair = await startPair();
  const bring = (epoch: number, neighbour: string): Promise<unknown> =>
    ask(
      pair.homeUrl,
      `insert into rules (home, epoch, rule) values ($1, $2, json_build_object('neighbour', $3::text))
       on conflict (home) do update set epoch = excluded.epoch, rule = excluded.rule`,
      [pair.home, epoch, neighbour],
    );
  await bring(1, 'former');
  await loseSlot(pair);
  await until('it is copied anew', () => pair.nextDoor.standingOf(pair.home)?.state === 'copying');
  await pair.synced();
  // As a guest's order that came home from the former neighbour: it has an origin, and is not sent on.
  await ask(
    pair.homeUrl,
    `do $$ begin
       perform pg_replication_origin_create('former');
       perform pg_replication_origin_session_setup('former');
       insert into orders (tenant, id, item, quantity) values ('acme', gen_random_uuid(), 'of a guest', 1);
     end $$`,
  );
  await place(pair.homeUrl, 'shipped');
  await shows(pair.standbyUrl, ['shipped']);
  await bring(2, 'neighbour');
  await shows(pair.standbyUrl, ['of a guest', 'shipped']);
});

test('the standby is a database of its own on the neighbour', async () => {
  const pair = await startPair();
  expect(
    await ask(servers.there().url, 'select 1 as there from pg_database where datname = $1', [
      standbyDatabase(pair.home),
    ]),
  ).toEqual([{ there: 1 }]);
});
