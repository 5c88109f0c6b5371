// The beat: what is brought to the store, and in which order.
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Beats, type Message } from '../../../../router/health/beats.ts';
import { createInProcessStore } from '../../../../router/health/in-process/in-process-store.ts';
import { QuarantineList } from '../../../../router/health/quarantine-list.ts';
import { closing } from '../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord } from '../../../../router/health/record.ts';
import type { Store } from '../../../../router/health/store.ts';
import { awayRecord, homesOf } from '../../../support/machine.ts';
import { until } from '../../../support/wait.ts';

type Slow = Store & {
  /** What was brought to it, in order: the homes' names. */
  restored: string[][];
  beats: number;
  /** While it is set, what is brought is not answered. */
  hold: boolean;
  release(): void;
};

/** A store that answers `restore` when it is told to. */
function slowStore(): Slow {
  const store = createInProcessStore();
  let release = (): void => undefined;
  const slow: Slow = {
    ...store,
    restored: [],
    beats: 0,
    hold: false,
    release: () => release(),
    beat: async (beat) => {
      slow.beats += 1;
      return await store.beat(beat);
    },
    restore: async (records, revision) => {
      slow.restored.push(records.map(({ home }) => home));
      if (slow.hold) await new Promise<void>((resolve) => (release = resolve));
      await store.restore(records, revision);
    },
  };
  return slow;
}

function message(): Message {
  return {
    router: 'r1',
    fleetDigest: 'digest',
    votes: {},
    homes: homesOf('cell-a', 'cell-b'),
    minDwellMs: 0,
    neighbourLostMs: 0,
    maxFailedOver: 0,
    handoverMs: 2_000,
    requiresStandby: false,
    fleetInForce: true,
    confirmations: {},
  };
}

function beating(
  store: Store,
  records: HealthRecord[],
  quarantine: QuarantineList = new QuarantineList(),
): Beats {
  const beats = new Beats(store, pino({ level: 'silent' }), {
    message,
    records: () => records,
    heard: () => undefined,
    quarantine,
    taken: () => undefined,
    replied: () => undefined,
    unanswered: () => undefined,
  });
  onTestFinished(() => beats.stop());
  return beats;
}

test('what is learnt while records are being brought is brought next', async () => {
  const [store, records] = [slowStore(), [awayRecord('cell-a', 'cell-b', 5)]];
  const beats = beating(store, records);
  store.hold = true;
  beats.restoreSoon();
  await until('the first is on its way', () => store.restored.length === 1);
  records.push(awayRecord('cell-b', 'cell-a', 3));
  beats.restoreSoon();
  store.hold = false;
  store.release();
  await until('both are brought', () => store.restored.length === 2);
  expect(store.restored).toEqual([['cell-a'], ['cell-a', 'cell-b']]);
});

test('what could not be brought is brought again', async () => {
  const store = slowStore();
  const moody: Store = {
    ...store,
    restore: async (records, revision) => {
      await store.restore(records, revision);
      if (store.restored.length === 1) throw new Error('away');
    },
  };
  const beats = beating(moody, [awayRecord('cell-a', 'cell-b', 5)]);
  beats.restoreSoon();
  await until('it was tried again', () => store.restored.length === 2);
  await until('the store has answered', () => beats.answered);
});

test('a router that has stopped while it brought records does not beat again', async () => {
  const store = slowStore();
  const beats = beating(store, [awayRecord('cell-a', 'cell-b', 5)]);
  store.hold = true;
  beats.restoreSoon();
  await until('they are on their way', () => store.restored.length === 1);
  beats.stop();
  await store.leave('r1');
  store.release();
  await new Promise((resolve) => setImmediate(resolve));
  expect(store.beats).toBe(1);
});

test('a store that lost a write, and went on without it, is brought what it lacks', async () => {
  const store = slowStore();
  const own = awayRecord('cell-a', 'cell-b', 5);
  // It has changed since, so that its revision does not tell.
  await store.restore([awayRecord('cell-b', 'cell-a', 9)], 40);
  store.restored.length = 0;
  const beats = beating(store, [own]);
  beats.soon();
  await until('it was brought', () => store.restored.length === 1);
  expect(store.restored).toEqual([['cell-a']]);
});

test('a store that gave an epoch a second time is told of it', async () => {
  const store = slowStore();
  await store.restore([awayRecord('cell-a', 'cell-b', 5)], 40);
  const own = closing(
    initialRecord('cell-a', 'cell-b'),
    { share: 100 },
    null,
    { until: 1, actor: 'a', reason: '', to: null },
    1,
  );
  const beats = beating(store, [{ ...own, epoch: 5 }]);
  beats.soon();
  await until('it was brought', () => store.restored.length === 2);
  const stored: HealthRecord[] = [];
  await until('what is stored stands', async () => {
    const [record] = (
      await store.beat({ ...message(), refused: [], knownRevision: 0, knownIncarnation: null })
    ).records;
    if (record !== undefined) stored.push(record);
    return record?.epoch === 6;
  });
  expect(stored.at(-1)).toMatchObject({ state: 'failed-over', phase: 'open', epoch: 6 });
});

test('a store that did not answer is brought what is known before it decides again', async () => {
  const store = slowStore();
  const asked: string[] = [];
  const lost: Store = {
    ...store,
    beat: async (beat) => {
      asked.push('beat');
      if (asked.length === 1) throw new Error('away');
      return await store.beat(beat);
    },
    restore: async (...brought) => {
      asked.push('restore');
      await store.restore(...brought);
    },
  };
  const beats = beating(lost, [awayRecord('cell-a', 'cell-b', 5)]);
  beats.soon();
  await until('it has answered', () => beats.answered);
  expect(asked).toEqual(['beat', 'restore', 'beat']);
});

test('a store that knows as much as the router is brought nothing', async () => {
  const store = slowStore();
  await store.restore([awayRecord('cell-a', 'cell-b', 5), awayRecord('cell-b', 'cell-a', 9)], 40);
  store.restored.length = 0;
  const beats = beating(store, [awayRecord('cell-a', 'cell-b', 5)]);
  beats.soon();
  await until('it has answered', () => beats.answered);
  beats.soon();
  await until('it has answered again', () => store.beats === 2);
  expect(store.restored).toEqual([]);
});

test('a store that a newer release leads is told of', async () => {
  const store = slowStore();
  const led: Store = { ...store, beat: async (beat) => ({ ...(await store.beat(beat)), passive: true }) };
  const beats = beating(led, []);
  expect(beats.passive).toBe(false);
  beats.soon();
  await until('it has answered', () => beats.answered);
  expect(beats.passive).toBe(true);
});

const REFUSED = {
  tenant: 'acme',
  home: 'cell-a',
  since: Date.now(),
  until: Date.now() + 600_000,
  actor: 'ada',
  owner: 'core',
  reason: 'why',
};

test('a store that was emptied is brought the quarantine, and what it has of its own is learnt', async () => {
  const [store, list] = [slowStore(), new QuarantineList()];
  list.learn('acme', REFUSED);
  const behind: Store = {
    ...store,
    beat: async (beat) => {
      const reply = await slowBeat(beat);
      const first = store.beats === 1;
      return { ...reply, behind: first, quarantine: first ? [{ ...REFUSED, tenant: 'bolt' }] : null };
    },
    restore: async (records, revision, quarantine) => {
      brought.push((quarantine ?? []).map(({ tenant }) => tenant));
      await store.restore(records, revision, quarantine);
    },
  };
  const slowBeat = store.beat.bind(store);
  const brought: string[][] = [];
  const beats = beating(behind, [], list);
  beats.soon();
  await until('it has answered', () => beats.answered);
  expect(brought).toEqual([['acme', 'bolt']]);
  expect(list.entries.map(({ tenant }) => tenant)).toEqual(['acme', 'bolt']);
});

test('a store that lost nothing is brought records alone: who was let in again stays so', async () => {
  const [store, list] = [slowStore(), new QuarantineList()];
  list.learn('acme', REFUSED);
  const brought: unknown[] = [];
  const asked: Store = {
    ...store,
    restore: async (records, revision, quarantine) => {
      brought.push(quarantine);
      await store.restore(records, revision, quarantine);
    },
  };
  const beats = beating(asked, [awayRecord('cell-a', 'cell-b', 5)], list);
  beats.restoreSoon();
  await until('it was brought', () => brought.length === 1);
  expect(brought).toEqual([[]]);
});
