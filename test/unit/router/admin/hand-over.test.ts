// Waiting for a handover, against the store of this process: its ends, what stands in its way, and who gives up when.
import { expect, onTestFinished, test } from 'vitest';
import { handOver } from '../../../../router/admin/hand-over.ts';
import { createInProcessStore } from '../../../../router/health/in-process/in-process-store.ts';
import { initialRecord, type HealthRecord, type Vote } from '../../../../router/health/record.ts';
import { type Beat, type Change, type Confirmation, type Store } from '../../../../router/health/store.ts';
import { DOWN, homesOf, UP } from '../../../support/machine.ts';
import { until } from '../../../support/wait.ts';

const BEAT_MS = 10;
const UP_ALL: Record<string, Vote> = { 'cell-a': UP, 'cell-b': UP };

type World = {
  store: Store;
  monitor: { learn: (record: HealthRecord) => void; recordOf: (home: string) => HealthRecord };
  /** What the one router says of each closing record; null: it does not beat. */
  say: { confirm: ((record: HealthRecord) => boolean) | null; votes: Record<string, Vote> };
  learnt: HealthRecord[];
};

/** A store, and a router that beats: it confirms each handover, as long as nothing else is said. */
async function world(): Promise<World> {
  const store = createInProcessStore();
  const view = new Map<string, HealthRecord>();
  const recordOf = (home: string): HealthRecord => view.get(home) ?? initialRecord(home, 'cell-b');
  const take = (record: HealthRecord): void => {
    if (record.epoch > recordOf(record.home).epoch) view.set(record.home, record);
  };
  store.subscribe(
    (records) => records.forEach(take),
    () => undefined,
  );
  const learnt: HealthRecord[] = [];
  const monitor = {
    recordOf,
    learn: (record: HealthRecord) => {
      learnt.push(record);
      take(record);
    },
  };
  const say: World['say'] = { confirm: () => true, votes: UP_ALL };
  const beat = async (): Promise<void> => {
    if (say.confirm === null) return;
    const confirmations: Record<string, Confirmation> = {};
    for (const record of view.values()) {
      const all = say.confirm(record);
      if (record.phase === 'closing')
        confirmations[record.home] = { epoch: record.epoch, held: all, ready: all };
    }
    await store.beat(beatOf(say.votes, confirmations));
  };
  const timer = setInterval(() => void beat(), BEAT_MS);
  onTestFinished(async () => {
    clearInterval(timer);
    await store.close();
  });
  await beat();
  return { store, monitor, say, learnt };
}

function beatOf(votes: Record<string, Vote>, confirmations: Record<string, Confirmation>): Beat {
  return {
    router: 'router-1',
    fleetDigest: 'digest',
    votes,
    homes: homesOf('cell-a', 'cell-b'),
    minDwellMs: 60_000,
    neighbourLostMs: 30_000,
    maxFailedOver: 1,
    handoverMs: 200,
    requiresStandby: false,
    fleetInForce: true,
    confirmations,
    refused: [],
    knownRevision: 0,
    knownIncarnation: null,
  };
}

function changeOf(percent: number, more: Partial<Change> = {}): Change {
  return {
    home: 'cell-a',
    neighbour: 'cell-b',
    wish: { kind: 'share', percent },
    cause: 'operator',
    actor: 'anna',
    reason: 'power works',
    owner: 'anna',
    expiresInMs: 600_000,
    handoverMs: 200,
    requiresStandby: false,
    override: [],
    ...more,
  };
}

test('it answers with the record that is open, and this router learns of the closing one at once', async () => {
  const { store, monitor, learnt } = await world();
  const answer = await handOver({ monitor, store }, changeOf(50));
  expect(answer).toMatchObject({ record: { phase: 'open', share: 50, epoch: 3 } });
  expect(learnt).toMatchObject([{ phase: 'closing', share: 50, epoch: 2 }]);
});

test('what changes no cell is answered without a handover', async () => {
  const { store, monitor, say } = await world();
  await handOver({ monitor, store }, changeOf(50));
  say.confirm = () => false;
  const again = await handOver({ monitor, store }, changeOf(50, { expiresInMs: 1_200_000 }));
  expect(again).toMatchObject({ record: { phase: 'open', share: 50, epoch: 4 } });
  expect(
    await handOver({ monitor, store }, changeOf(0, { home: 'cell-b', neighbour: 'cell-a' })),
  ).toMatchObject({
    record: { epoch: 1, share: 0 },
  });
});

test('a refusal is answered at once', async () => {
  const { store, monitor } = await world();
  expect(await handOver({ monitor, store }, changeOf(50, { home: 'cell-z' }))).toEqual({
    refused: 'not-found',
    rule: null,
  });
});

test('a handover that was undone is asked for again', async () => {
  const { store, monitor, say } = await world();
  say.confirm = ({ undone }) => undone === 1;
  expect(await handOver({ monitor, store }, changeOf(50))).toMatchObject({
    record: { phase: 'open', share: 50, epoch: 5 },
  });
});

test('after three undone ones it says what the last one waited for', async () => {
  const { store, monitor, say } = await world();
  say.confirm = () => false;
  expect(await handOver({ monitor, store }, changeOf(50))).toEqual({
    refused: 'handover-undone',
    waitingFor: ['router-1: requests inside', 'cells'],
  });
  const events = await store.events(100);
  expect(events.map(({ details }) => details?.['phase'])).toEqual([
    'undone',
    'closing',
    'undone',
    'closing',
    'undone',
    'closing',
  ]);
});

test('another handover of the same cell is waited for', async () => {
  const { store, monitor, say } = await world();
  say.confirm = () => false;
  await store.change(changeOf(10));
  await until('it is closing here', () => monitor.recordOf('cell-a').phase === 'closing');
  const answer = handOver({ monitor, store }, changeOf(50));
  say.confirm = () => true;
  expect(await answer).toMatchObject({ record: { phase: 'open', share: 50 } });
});

test('a verdict that overtakes it is told by what the next try is refused with', async () => {
  const { store, monitor, say } = await world();
  say.confirm = () => false;
  const answer = handOver({ monitor, store }, changeOf(50, { handoverMs: 2_000 }));
  await until('it is closing', () => monitor.recordOf('cell-a').phase === 'closing');
  say.votes = { 'cell-a': DOWN, 'cell-b': UP };
  expect(await answer).toEqual({ refused: 'already-away', rule: null });
});

test('one that was opened and changed again before anybody looked is known by its event', async () => {
  const { store, monitor, say } = await world();
  const blind = (home: string): HealthRecord => initialRecord(home, 'cell-b');
  const seen = { ...monitor, recordOf: blind };
  const answer = handOver({ monitor: seen, store }, changeOf(50));
  await until('it is open', () => monitor.recordOf('cell-a').epoch === 3);
  say.confirm = () => false;
  await store.change(changeOf(10, { handoverMs: 60_000 }));
  seen.recordOf = monitor.recordOf;
  expect(await answer).toMatchObject({ record: { phase: 'closing', share: 10, epoch: 4 } });
});

test('what a cell showed of the end before the store told is no answer: it does not say why', async () => {
  const { store, monitor } = await world();
  let shown = 3;
  const seen = {
    ...monitor,
    recordOf: (home: string): HealthRecord => {
      const record = monitor.recordOf(home);
      return record.epoch > 2 && (shown -= 1) > 0 ? { ...record, since: null, cause: null } : record;
    },
  };
  expect(await handOver({ monitor: seen, store }, changeOf(50))).toMatchObject({
    record: { phase: 'open', cause: 'operator', since: expect.any(Number) as number },
  });
});

test('a store that tells of no end is not waited for for ever', async () => {
  const { store, monitor, say } = await world();
  say.confirm = null;
  await expect(handOver({ monitor, store }, changeOf(50))).rejects.toMatchObject({
    name: 'StoreUnavailable',
    trouble: 'untold',
  });
});

test('who hangs up is not waited for, and the handover goes on', async () => {
  const { store, monitor, say } = await world();
  say.confirm = () => false;
  const gone = new AbortController();
  const answer = handOver({ monitor, store }, changeOf(50, { handoverMs: 30_000 }), gone.signal);
  const refused = expect(answer).rejects.toThrow(/aborted/);
  await until('it is closing', () => monitor.recordOf('cell-a').phase === 'closing');
  gone.abort();
  await refused;
  say.confirm = () => true;
  await until(
    'it is open',
    () => monitor.recordOf('cell-a').share === 50 && monitor.recordOf('cell-a').phase === 'open',
  );
});
