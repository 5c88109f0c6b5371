// The monitor with a real store of this process and real cells: opinions become votes, votes become verdicts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { readConfig } from '../../../../router/config.ts';
import { explain } from '../../../../router/explain.ts';
import { FleetHolder } from '../../../../router/fleet/holder.ts';
import { closing } from '../../../../router/health/verdicts/handover.ts';
import { createInProcessStore } from '../../../../router/health/in-process/in-process-store.ts';
import { Monitor } from '../../../../router/health/monitor.ts';
import { StoreUnavailable, type Beat, type Store } from '../../../../router/health/store.ts';
import { initialRecord } from '../../../../router/health/record.ts';
import { startStubCell, type StubCell } from '../../../support/stub-cell.ts';
import { homesOf, machineOf } from '../../../support/machine.ts';
import { until } from '../../../support/wait.ts';
import { plainNetwork } from '../../../support/network.ts';

const SILENT = pino({ level: 'silent' });

type Setting = {
  monitor: Monitor;
  fleets: FleetHolder;
  a: StubCell;
  b: StubCell;
  write: (file: unknown) => Promise<void>;
};

function fileOf(...cells: StubCell[]): unknown {
  return {
    cells: Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])),
    generations: [{ add: cells.map(({ id }) => id) }],
    pins: { acme: 'cell-a' },
  };
}

async function watching(
  store: Store = createInProcessStore(),
  env: NodeJS.ProcessEnv = {},
): Promise<Setting> {
  const [a, b] = await Promise.all([startStubCell('cell-a'), startStubCell('cell-b')]);
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-monitor-'));
  const path = join(folder, 'fleet.yaml');
  const write = async (file: unknown): Promise<void> => await writeFile(path, stringify(file));
  await write(fileOf(a, b));
  const fleets = new FleetHolder(path, 0, SILENT);
  const quick = {
    PROBE_INTERVAL_MS: '20',
    PROBE_TIMEOUT_MS: '5000',
    FALL: '2',
    RISE: '2',
    MIN_DWELL_MS: '0',
  };
  const config = readConfig({ ...quick, ROUTER_ID: 'router-1', ...env });
  const monitor = new Monitor(config, fleets, store, plainNetwork(), SILENT);
  // No requests pass here: nothing is ever inside a cell.
  monitor.onRecords((records) => {
    for (const { home, epoch, phase } of records) if (phase === 'closing') monitor.confirmHeld(home, epoch);
  });
  onTestFinished(async () => {
    await monitor.stop();
    await store.close();
    await Promise.all([a.close(), b.close(), rm(folder, { recursive: true })]);
  });
  monitor.start();
  return { monitor, fleets, a, b, write };
}

function explained({ fleets, monitor }: Setting) {
  return explain('acme', fleets.active, monitor);
}

/** A store that answers nothing while `away`. */
function moodyStore(): Store & { away: boolean } {
  const store = createInProcessStore();
  const moody = {
    ...store,
    away: true,
    beat: async (beat: Parameters<Store['beat']>[0]) => {
      if (moody.away) throw new StoreUnavailable('away');
      return await store.beat(beat);
    },
  };
  return moody;
}

test('it is ready when every cell was asked and the store has answered', async () => {
  const { monitor } = await watching();
  expect(monitor.ready).toBe(false);
  await until('it is ready', () => monitor.ready);
  expect([monitor.opinionOf('cell-a'), monitor.storeAnswers]).toEqual(['up', true]);
});

test('a tenant of a healthy home is explained', async () => {
  const setting = await watching();
  await until('it is ready', () => setting.monitor.ready);
  expect(explained(setting)).toEqual({
    tenant: 'acme',
    bucket: expect.any(Number),
    home: 'cell-a',
    neighbour: 'cell-b',
    pin: 'cell-a',
    cell: 'cell-a',
    role: 'home',
    epoch: 1,
    reason: 'home is serving',
  });
});

test('the tenants of a dead home go to its neighbour, and return in three handovers when it is back', async () => {
  const setting = await watching();
  await until('it is ready', () => setting.monitor.ready);
  await setting.a.die();
  await until('the neighbour serves', () => explained(setting).role === 'guest');
  expect(explained(setting)).toMatchObject({ home: 'cell-a', cell: 'cell-b', epoch: 2 });
  await setting.a.reopen();
  await until('home serves again', () => explained(setting).role === 'home');
  await until('all are back', () => setting.monitor.recordOf('cell-a').epoch === 8);
  expect(explained(setting)).toMatchObject({ cell: 'cell-a', epoch: 8 });
});

test('with home and neighbour dead a tenant is refused, and told why', async () => {
  const setting = await watching();
  await until('it is ready', () => setting.monitor.ready);
  await setting.a.die();
  await until('the neighbour serves', () => explained(setting).role === 'guest');
  await setting.b.die();
  await until('nobody serves', () => explained(setting).cell === null);
  expect(explained(setting)).toMatchObject({
    role: null,
    reason: 'cell-a is failed-over, and its neighbour cell-b is unreachable',
  });
});

test('connections that traffic could not make count as probes that failed', async () => {
  const { monitor, a } = await watching(createInProcessStore(), { PROBE_INTERVAL_MS: '86400000' });
  await until('it is ready', () => monitor.ready);
  await a.die();
  monitor.observeNoConnection('cell-a', 'connection refused');
  monitor.observeNoConnection('cell-a', 'connection refused');
  expect([monitor.opinionOf('cell-a'), monitor.isUnreachable('cell-a')]).toEqual(['down', true]);
});

test('traffic says nothing of cells that are not in the fleet', async () => {
  const { monitor } = await watching();
  monitor.observeNoConnection('cell-z', 'connection refused');
  monitor.observeAnswer('cell-z', 'bad', 'acme');
  expect([monitor.opinionOf('cell-z'), monitor.hasCell('cell-z')]).toEqual(['unknown', false]);
});

test('a store that is silent at the start keeps nobody from being served', async () => {
  const setting = await watching(moodyStore());
  await until('it is ready', () => setting.monitor.ready);
  expect([setting.monitor.storeAnswers, setting.monitor.knowledgeAgeMs]).toEqual([false, null]);
  expect(explained(setting)).toMatchObject({ cell: 'cell-a', role: 'home' });
});

test('while the store is away the last verdicts stand, and after it they go on', async () => {
  const store = moodyStore();
  store.away = false;
  const setting = await watching(store);
  await until('it is ready', () => setting.monitor.ready);
  await setting.a.die();
  await until('the neighbour serves', () => explained(setting).role === 'guest');
  store.away = true;
  await setting.a.reopen();
  await until('home is up', () => setting.monitor.opinionOf('cell-a') === 'up');
  await until('the store is missed', () => !setting.monitor.storeAnswers);
  expect(explained(setting)).toMatchObject({ cell: 'cell-b', role: 'guest', epoch: 2 });
  store.away = false;
  await until('home serves again', () => explained(setting).role === 'home');
});

test('a store that was emptied and filled by others is read, though it needs nothing from this router', async () => {
  const [first, second] = [createInProcessStore(), createInProcessStore()];
  let current = first;
  const store: Store = { ...first, beat: async (beat) => await current.beat(beat) };
  store.restore = async (records, revision) => await current.restore(records, revision);
  const { monitor } = await watching(store);
  await until('the first is known', () => monitor.storeAnswers);
  await second.restore([{ ...initialRecord('cell-b', 'cell-a'), epoch: 7 }], 1);
  current = second;
  await until('what the second knows is known', () => monitor.recordOf('cell-b').epoch >= 7);
});

test('a handover of a home that this router’s fleet does not have is confirmed as well', async () => {
  const store = createInProcessStore();
  const beats: Beat[] = [];
  const { monitor } = await watching({
    ...store,
    beat: async (beat) => {
      beats.push(beat);
      return await store.beat(beat);
    },
  });
  await until('it is ready', () => monitor.ready);
  const now = Date.now();
  const terms = { until: now + 3_600_000, actor: 'anna', reason: 'test', to: null };
  await store.restore([closing(initialRecord('cell-y', 'cell-z'), { share: 100 }, null, terms, now)], 1);
  await until('it is confirmed', () => beats.at(-1)?.confirmations['cell-y']?.held);
  expect(beats.at(-1)?.confirmations).toEqual({ 'cell-y': { epoch: 2, held: true, ready: false } });
});

test('a router that is replaced under its own ID leaves its successor alone', async () => {
  const store = createInProcessStore();
  const [former, successor] = [await watching(store), await watching(store)];
  await until('both are ready', () => former.monitor.ready && successor.monitor.ready);
  await until('both are heard', () => successor.monitor.liveRouters === 2);
  await former.monitor.stop();
  await until('one is left', () => successor.monitor.liveRouters === 1);
  expect(successor.monitor.machines).toEqual([expect.stringMatching(/^router-1 [0-9a-f]{8}$/)]);
});

test('a changed fleet is watched as soon as it is in force', async () => {
  const { monitor, fleets, a, b, write } = await watching();
  await until('it is ready', () => monitor.ready);
  const c = await startStubCell('cell-c');
  onTestFinished(async () => await c.close());
  await write(fileOf(a, b, c));
  fleets.reload();
  await until('the new cell is up', () => monitor.opinionOf('cell-c') === 'up');
  await write(fileOf(a, c));
  fleets.reload();
  await until('the old cell is forgotten', () => !monitor.hasCell('cell-b'));
});

test('a cell that moved to another origin is asked there', async () => {
  const { monitor, fleets, a, b, write } = await watching();
  await until('it is ready', () => monitor.ready);
  const moved = await startStubCell('cell-a');
  onTestFinished(async () => await moved.close());
  moved.health.body = { cell: 'cell-a', version: '2.0.0', status: 'ok', checks: {} };
  await write(fileOf(moved, b));
  fleets.reload();
  await until('its new version is seen', () => monitor.versionOf('cell-a') === '2.0.0');
  await until('nobody asks at the old place', () => a.sockets.size === 0);
});

test('a stop leaves no vote, no connection and no timer behind', async () => {
  const store = createInProcessStore();
  const { monitor, a, b } = await watching(store);
  await until('it is ready', () => monitor.ready);
  await monitor.stop();
  await until('no connection is left', () => a.sockets.size + b.sockets.size === 0);
  const { routers } = await machineOf(store, 'router-2', homesOf('cell-a', 'cell-b')).beatOnce({});
  expect(routers.map(({ id }) => id)).toEqual(['router-2']);
});
