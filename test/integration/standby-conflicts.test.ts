// Rows that both sides wrote while nothing was shipped between them: they end up alike, and nothing disappears.
import { beforeAll, expect, test } from 'vitest';
import { ask } from '../support/cell-database.ts';
import { apart, sharedServers, startDatabasePair, type DatabasePair } from '../support/database-pair.ts';
import { until } from '../support/wait.ts';

const servers = sharedServers();
let pair: DatabasePair;

beforeAll(async () => {
  pair = await startDatabasePair(servers.here(), servers.there());
  // What is tried here must hold by the databases alone.
  await pair.closeLinks();
});

let orders = 0;
function newId(): string {
  orders += 1;
  return `00000000-0000-7000-8000-${String(orders).padStart(12, '0')}`;
}

async function place(url: string, id: string, item: string, epoch: number): Promise<void> {
  await ask(url, `insert into orders (tenant, id, item, quantity, epoch) values ('acme', $1, $2, 1, $3)`, [
    id,
    item,
    epoch,
  ]);
}

async function change(url: string, id: string, item: string, epoch: number): Promise<void> {
  await ask(url, `update orders set item = $2, epoch = $3 where id = $1`, [id, item, epoch]);
}

const both = (): string[] => [pair.homeUrl, pair.standbyUrl];

async function bothShow(sql: string, values: unknown[], wanted: unknown): Promise<void> {
  await until(`both sides show ${JSON.stringify(wanted)}`, async () => {
    const rows = await Promise.all(both().map((url) => ask(url, sql, values)));
    return rows.every((found) => JSON.stringify(found) === JSON.stringify(wanted));
  });
}

const showItem = 'select item, version::int, epoch::int from orders where id = $1';
const showLost = `select lost->>'item' as lost, kept->>'item' as kept, epoch::int, version::int from conflicts
  where order_id = $1 order by epoch`;

async function shipped(): Promise<void> {
  const id = newId();
  await place(pair.homeUrl, id, 'marker of home', 1);
  const other = newId();
  await place(pair.standbyUrl, other, 'marker of guests', 2);
  await bothShow(showItem, [id], [{ item: 'marker of home', version: 1, epoch: 1 }]);
  await bothShow(showItem, [other], [{ item: 'marker of guests', version: 1, epoch: 2 }]);
}

test('what is written at home is in the standby, and what a guest writes next door is at home', async () => {
  const [id, other] = [newId(), newId()];
  await place(pair.homeUrl, id, 'tea', 1);
  await bothShow(showItem, [id], [{ item: 'tea', version: 1, epoch: 1 }]);
  await place(pair.standbyUrl, other, 'coffee', 2);
  await bothShow(showItem, [other], [{ item: 'coffee', version: 1, epoch: 2 }]);
});

test('two inserts of one key stop neither direction, and the higher epoch wins', async () => {
  const id = newId();
  await apart(pair, async () => {
    await place(pair.homeUrl, id, 'tea', 1);
    await place(pair.standbyUrl, id, 'coffee', 2);
  });
  await bothShow(showItem, [id], [{ item: 'coffee', version: 1, epoch: 2 }]);
  await bothShow(showLost, [id], [{ lost: 'tea', kept: 'coffee', epoch: 1, version: 1 }]);
  await shipped();
});

test('the same order placed on both sides is no conflict', async () => {
  const id = newId();
  await apart(pair, async () => {
    await place(pair.homeUrl, id, 'tea', 1);
    await place(pair.standbyUrl, id, 'tea', 2);
  });
  await bothShow(showItem, [id], [{ item: 'tea', version: 1, epoch: 2 }]);
  await shipped();
  await bothShow(showLost, [id], []);
});

test('a branch that came to the same in the end is no conflict', async () => {
  const id = newId();
  await apart(pair, async () => {
    await place(pair.homeUrl, id, 'tea', 1);
    await change(pair.homeUrl, id, 'coffee', 1);
    await place(pair.standbyUrl, id, 'coffee', 2);
  });
  await bothShow(showItem, [id], [{ item: 'coffee', version: 1, epoch: 2 }]);
  await shipped();
  await bothShow(showLost.replace('order by epoch', 'and settled_at is null'), [id], []);
});

test('two updates of one row end alike, and the loser is kept', async () => {
  const id = newId();
  await place(pair.homeUrl, id, 'tea', 1);
  await bothShow(showItem, [id], [{ item: 'tea', version: 1, epoch: 1 }]);
  await apart(pair, async () => {
    await change(pair.homeUrl, id, 'green tea', 1);
    await change(pair.standbyUrl, id, 'black tea', 2);
  });
  await bothShow(showItem, [id], [{ item: 'black tea', version: 2, epoch: 2 }]);
  await bothShow(showLost, [id], [{ lost: 'green tea', kept: 'black tea', epoch: 1, version: 2 }]);
});

test('of a branch that lost its last state is kept, once', async () => {
  const id = newId();
  await place(pair.homeUrl, id, 'tea', 1);
  await bothShow(showItem, [id], [{ item: 'tea', version: 1, epoch: 1 }]);
  await apart(pair, async () => {
    await change(pair.homeUrl, id, 'green tea', 1);
    await change(pair.homeUrl, id, 'white tea', 1);
    await change(pair.standbyUrl, id, 'black tea', 2);
  });
  await bothShow(showItem, [id], [{ item: 'black tea', version: 2, epoch: 2 }]);
  await bothShow(showLost, [id], [{ lost: 'white tea', kept: 'black tea', epoch: 1, version: 3 }]);
});

test('what one database wrote is another branch than what the one in its place writes, also in one epoch', async () => {
  const id = newId();
  await apart(pair, async () => {
    await place(pair.homeUrl, id, 'tea', 3);
    await change(pair.homeUrl, id, 'green tea', 3);
    await place(pair.standbyUrl, id, 'coffee', 3);
    await change(pair.standbyUrl, id, 'mocha', 3);
  });
  await until('both sides are alike, and tell of one that lost', async () => {
    const found = await Promise.all(
      both().map((url) =>
        ask(
          url,
          `select item, (select count(*)::int from conflicts where order_id = id and settled_at is null) as lost
           from orders where id = $1`,
          [id],
        ),
      ),
    );
    return JSON.stringify(found[0]) === JSON.stringify(found[1]) && found[0]?.[0]?.['lost'] === 1;
  });
});

test('what is taken for lost, and then comes as the older state of a newer one, is not listed any more', async () => {
  const id = newId();
  await place(pair.homeUrl, id, 'tea', 1);
  await bothShow(showItem, [id], [{ item: 'tea', version: 1, epoch: 1 }]);
  await apart(pair, async () => {
    await change(pair.homeUrl, id, 'green tea', 1);
    await change(pair.standbyUrl, id, 'black tea', 2);
    await change(pair.homeUrl, id, 'white tea', 3);
  });
  await bothShow(showItem, [id], [{ item: 'white tea', version: 3, epoch: 3 }]);
  const open = `select lost->>'item' as lost from conflicts where order_id = $1 and settled_at is null`;
  await bothShow(open, [id], [{ lost: 'black tea' }]);
});

test('many writes of a higher epoch are no conflict when nothing was written beside them', async () => {
  const id = newId();
  await place(pair.homeUrl, id, 'tea', 1);
  await bothShow(showItem, [id], [{ item: 'tea', version: 1, epoch: 1 }]);
  await change(pair.standbyUrl, id, 'coffee', 2);
  await bothShow(showItem, [id], [{ item: 'coffee', version: 2, epoch: 2 }]);
  await change(pair.homeUrl, id, 'water', 3);
  await bothShow(showItem, [id], [{ item: 'water', version: 3, epoch: 3 }]);
  await bothShow(showLost, [id], []);
});

test('a conflict that was settled on one side is settled on the other', async () => {
  const id = newId();
  await apart(pair, async () => {
    await place(pair.homeUrl, id, 'tea', 1);
    await place(pair.standbyUrl, id, 'coffee', 2);
  });
  await bothShow(showLost, [id], [{ lost: 'tea', kept: 'coffee', epoch: 1, version: 1 }]);
  await ask(
    pair.homeUrl,
    `update conflicts set settled_at = clock_timestamp(), settlement = 'kept' where order_id = $1`,
    [id],
  );
  await bothShow('select settlement from conflicts where order_id = $1', [id], [{ settlement: 'kept' }]);
});

test('an effect that both sides had is one row, the same on both', async () => {
  const id = newId();
  const effect = (url: string, cell: string): Promise<unknown> =>
    ask(
      url,
      `insert into effects (outbox_id, tenant, order_id, kind, details, cell) values ($1, 'acme', $1, 'email', '{}', $2)`,
      [id, cell],
    );
  await apart(pair, async () => {
    await effect(pair.homeUrl, 'home');
    await effect(pair.standbyUrl, 'neighbour');
  });
  await bothShow('select cell from effects where outbox_id = $1', [id], [{ cell: 'home' }]);
});

test('of two rules the one of the higher epoch is kept, on both sides', async () => {
  const rule = (url: string, epoch: number): Promise<unknown> =>
    ask(url, `insert into rules (home, epoch, rule) values ('ruled', $1, '{}')`, [epoch]);
  await apart(pair, async () => {
    await rule(pair.homeUrl, 4);
    await rule(pair.standbyUrl, 5);
  });
  await bothShow(`select epoch::int from rules where home = 'ruled'`, [], [{ epoch: 5 }]);
});

test('an entry of the outbox waits on both sides until its effect is known there', async () => {
  const id = newId();
  const waits = `select count(*)::int from pending where outbox_id = $1`;
  await ask(
    pair.homeUrl,
    `insert into outbox (id, tenant, order_id, kind, payload, epoch) values ($1, 'acme', $1, 'email', '{}', 1)`,
    [id],
  );
  await bothShow(waits, [id], [{ count: 1 }]);
  await ask(
    pair.standbyUrl,
    `insert into effects (outbox_id, tenant, order_id, kind, details, cell) values ($1, 'acme', $1, 'email', '{}', 'b')`,
    [id],
  );
  await bothShow(waits, [id], [{ count: 0 }]);
});

test('a write by an older rule than that of the row is refused', async () => {
  const id = newId();
  await place(pair.homeUrl, id, 'tea', 5);
  await expect(change(pair.homeUrl, id, 'coffee', 4)).rejects.toMatchObject({ code: 'CG421' });
});

test('no replicated row can be deleted, and no table emptied', async () => {
  const tables = ['orders', 'outbox', 'effects', 'conflicts', 'rules', 'beats'];
  for (const table of tables) {
    await expect(ask(pair.homeUrl, `delete from ${table}`)).rejects.toThrow(/never deleted/);
    await expect(ask(pair.homeUrl, `truncate ${table} cascade`)).rejects.toThrow(/never deleted/);
  }
});

test('no replicated table has a sequence, an identity, or another unique constraint than its key', async () => {
  const found = await ask(
    pair.homeUrl,
    `select p.tablename, s.relname from pg_publication_tables p
       join pg_depend d on d.refobjid = ('public.' || p.tablename)::regclass
       join pg_class s on s.oid = d.objid and s.relkind = 'S'
     union all
     select c.relname, i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
       join pg_publication_tables p on p.tablename = c.relname where i.indisunique and not i.indisprimary`,
  );
  expect(found).toEqual([]);
});

test('rows arrive although row-level security is on: whoever applies them is above it', async () => {
  const [applier] = await ask(
    pair.standbyUrl,
    `select r.rolbypassrls or r.rolsuper as above from pg_subscription s join pg_roles r on r.oid = s.subowner limit 1`,
  );
  expect(applier).toEqual({ above: true });
  await shipped();
});
