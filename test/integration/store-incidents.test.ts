// What both stores tell of an incident: who is held back, who was refused for how long, and what an operator forced.
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  BEAT_TTL_MS,
  MARKS_MAX,
  type FailOver,
  type Refusals,
  type Store,
} from '../../router/health/store.ts';
import { awayRecord, DOWN, homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { bothStores } from '../support/both-stores.ts';

const A_DOWN = { 'cell-a': DOWN, 'cell-b': UP };
const A_UP = { 'cell-a': UP, 'cell-b': UP };
const BOTH_DOWN = { 'cell-a': DOWN, 'cell-b': DOWN };
const WISH: FailOver = {
  home: 'cell-a',
  neighbour: 'cell-b',
  actor: 'ada',
  reason: 'disk "swap"',
  owner: 'core',
  expiresInMs: 60_000,
  requiresStandby: false,
  override: [],
};

const { stores } = bothStores();

describe.each(stores)('the %s store', (_, make) => {
  let now = 0;
  let store: Store;
  let machine: (id: string) => Machine;

  function open(warmUpMs: number): void {
    store = make(() => now, warmUpMs);
    const opened = store;
    machine = (id) => machineOf(store, id, homesOf('cell-a', 'cell-b'));
    onTestFinished(async () => await opened.close());
  }

  beforeEach(() => {
    now = 1_790_000_000_000;
    open(0);
  });

  const refusals = (epoch: number, ...marks: string[]): Refusals[] => [{ home: 'cell-a', epoch, marks }];
  const tenantSeconds = async () => (await store.events(10)).map((event) => event.tenantSecondsRefused);

  test('names a home that is held back and why, and tells it once', async () => {
    const r1 = machine('r1');
    expect((await r1.beat(A_UP)).held).toEqual([]);
    expect((await r1.beat(BOTH_DOWN)).held).toEqual([
      { home: 'cell-a', why: 'no-target' },
      { home: 'cell-b', why: 'no-target' },
    ]);
    await r1.beat(BOTH_DOWN);
    expect(await store.events(10)).toMatchObject([
      { cell: 'cell-b', from: 'serving', to: 'serving', epoch: 1, details: { held: 'no-target' } },
      { cell: 'cell-a', from: 'serving', to: 'serving', epoch: 1, details: { held: 'no-target' } },
    ]);
    expect((await r1.beat(A_UP)).held).toEqual([]);
    await r1.beat(BOTH_DOWN);
    expect(await store.events(10)).toHaveLength(4);
  });

  test('after a silence decides nothing until each live machine has had time to beat', async () => {
    open(BEAT_TTL_MS);
    const [r1, r2] = [machine('r1'), machine('r2')];
    expect((await r1.beat(A_DOWN)).held).toEqual([{ home: 'cell-a', why: 'warming-up' }]);
    for (let i = 0; i < 2; i += 1) {
      now += 1_000;
      expect((await r1.beat(A_DOWN)).records).toEqual([]);
    }
    now += BEAT_TTL_MS - 2_001;
    expect((await r1.beat(A_DOWN)).records).toEqual([]);
    await r2.beat(A_DOWN);
    now += 1;
    expect((await r1.beat(A_DOWN)).records).toMatchObject([{ state: 'failed-over' }]);
  });

  test('a machine that dies together with a cell delays the verdict only until its beat counts no more', async () => {
    open(BEAT_TTL_MS);
    const [r1, r2] = [machine('r1'), machine('r2')];
    for (let i = 0; i < 4; i += 1) {
      await r1.beat(A_UP);
      await r2.beat(A_UP);
      now += 1_000;
    }
    await r1.beat(A_DOWN);
    now += 1_000;
    expect((await r1.beat(A_DOWN)).records).toEqual([]);
    now += 1_000;
    expect((await r1.beat(A_DOWN)).records).toMatchObject([{ home: 'cell-a', state: 'failed-over' }]);
  });

  test('counts the loss of a neighbour anew after it was up, and after the clock was set back', async () => {
    const lagging = { opinion: 'up', caughtUp: false } as const;
    const [lost, found] = [
      { 'cell-a': lagging, 'cell-b': DOWN },
      { 'cell-a': lagging, 'cell-b': UP },
    ];
    const r1 = machineOf(store, 'r1', homesOf('cell-a', 'cell-b').slice(0, 1), { neighbourLostMs: 1_000 });
    const after = async (ms: number, votes: typeof lost | typeof found) => {
      now += ms;
      await r1.beat(votes);
      return r1.state('cell-a');
    };
    await r1.beat(A_DOWN);
    expect(await after(1, lost)).toBe('failed-over');
    expect(await after(999, found)).toBe('failed-over');
    expect(await after(1, lost)).toBe('failed-over');
    expect(await after(-5_000, lost)).toBe('failed-over');
    expect(await after(999, lost)).toBe('failed-over');
    expect(await after(1, lost)).toBe('serving');
    expect(await store.events(1)).toMatchObject([{ cause: 'neighbour-lost' }]);
  });

  test.each([1_500, -3_000, 3_600_000])(
    'a step of %d ms in which nobody beat is a silence',
    async (stepMs) => {
      open(BEAT_TTL_MS);
      const [r1, r2] = [machine('r1'), machine('r2')];
      for (let i = 0; i < 4; i += 1) {
        await r1.beat(A_UP);
        await r2.beat(A_UP);
        now += 1_000;
      }
      now += stepMs - 1_000;
      await r1.beat(A_DOWN);
      expect(await r2.beat(A_DOWN)).toMatchObject({ records: [], held: [{ why: 'warming-up' }] });
    },
  );

  test('says who has told that it knows the newest revision, and how long ago each beat', async () => {
    const [r1, r2] = [machine('r1'), machine('r2')];
    await r1.beat(A_DOWN);
    now += 300;
    await r2.beat(A_DOWN);
    now += 200;
    const told = async () =>
      (await r2.beat(A_DOWN)).routers.map(({ id, ageMs, current }) => [id, ageMs, current]);
    expect(await told()).toEqual([
      ['r1', 500, false],
      ['r2', 0, true],
    ]);
    await r1.beat(A_DOWN);
    expect(await told()).toEqual([
      ['r1', 0, true],
      ['r2', 0, true],
    ]);
  });

  test('counts a tenant that several machines refused in the same second once', async () => {
    const [r1, r2] = [machine('r1'), machine('r2')];
    await r1.beat(A_UP, refusals(1, 'acme:7', 'acme:8'));
    await r2.beat(A_UP, refusals(1, 'acme:8', 'bolt:8'));
    await r1.beat(A_DOWN);
    await r2.beat(A_DOWN);
    expect(await tenantSeconds()).toEqual([3]);
  });

  test('adds what was refused while away to the failover, and nothing to the way home', async () => {
    const r1 = machine('r1');
    await r1.beat(A_DOWN, refusals(1, 'acme:7'));
    await r1.beat(A_DOWN, refusals(2, 'acme:9'));
    await r1.beat(A_UP);
    expect(await tenantSeconds()).toEqual([null, 2]);
  });

  test('shows what was refused while a home was held back with that event', async () => {
    await machine('r1').beat(BOTH_DOWN, refusals(1, 'acme:7'));
    expect(await tenantSeconds()).toEqual([null, 1]);
  });

  test('takes so many marks a beat and no more', async () => {
    const marks = Array.from({ length: 2 * MARKS_MAX }, (_, i) => `t${i}:1`);
    await machine('r1').beat(A_DOWN, [...refusals(1, ...marks), ...refusals(2, 'late:1')]);
    const [counted] = await tenantSeconds();
    expect(Math.abs((counted ?? 0) - MARKS_MAX)).toBeLessThan(MARKS_MAX * 0.05);
  });

  test('forces a failover for an operator at once, with its deadline and event', async () => {
    const r1 = machine('r1');
    await r1.beat(A_UP);
    const record = {
      ...awayRecord('cell-a', 'cell-b', 2),
      since: now,
      cause: 'operator',
      deadline: now + 60_000,
    };
    expect(await store.failOver(WISH)).toEqual({ record });
    expect((await r1.beat(A_UP)).records).toEqual([record]);
    expect(await store.events(10)).toMatchObject([
      {
        at: now,
        cell: 'cell-a',
        from: 'serving',
        to: 'failed-over',
        epoch: 2,
        cause: 'operator',
        actor: 'ada',
        reason: 'disk "swap"',
        details: {
          target: 'cell-b',
          owner: 'core',
          deadline: now + 60_000,
          overruled: [],
          votes: { r1: 'up' },
        },
      },
    ]);
  });

  test('gives a failover that an operator asks for twice a later end', async () => {
    await machine('r1').beat(A_UP);
    await store.failOver(WISH);
    now += 1_000;
    expect(await store.failOver(WISH)).toMatchObject({
      record: { state: 'failed-over', epoch: 3, deadline: now + 60_000, since: now },
    });
    expect(await store.events(10)).toMatchObject([{ epoch: 3, actor: 'ada' }, { epoch: 2 }]);
  });

  test('leaves a failover by verdict where an operator wants it: no dwell ends it', async () => {
    const r1 = machine('r1');
    await r1.beat({ 'cell-a': DOWN, 'cell-b': UP });
    await store.failOver(WISH);
    now += 59_999;
    await r1.beat(A_UP);
    expect(r1.records.get('cell-a')).toMatchObject({ phase: 'open', epoch: 3, cause: 'operator' });
    now += 1;
    await r1.beat(A_UP);
    expect(r1.records.get('cell-a')).toMatchObject({ phase: 'closing', share: 90, cause: 'expired' });
  });

  test('names the safety rule that an operator would break, and takes its name as an answer', async () => {
    await machine('r1').beat({ 'cell-a': UP });
    expect(await store.failOver({ ...WISH, home: 'cell-x' })).toEqual({ refused: 'not-found', rule: null });
    expect(await store.failOver({ ...WISH, neighbour: null })).toEqual({
      refused: 'no-neighbour',
      rule: null,
    });
    expect(await store.failOver(WISH)).toEqual({ refused: 'target-down', rule: 'target-up' });
    expect(await store.failOver({ ...WISH, override: ['target-up'] })).toHaveProperty('record');
    expect(await store.events(1)).toMatchObject([{ details: { overruled: ['target-up'] } }]);
  });

  test('begins the way home of a forced failover at its deadline and not before', async () => {
    const r1 = machine('r1');
    await r1.beat(A_UP);
    await store.failOver(WISH);
    await r1.beat(A_UP);
    now += 59_999;
    expect((await r1.beat(A_UP)).records).toEqual([]);
    now += 1;
    expect((await r1.beat(A_UP)).records).toMatchObject([
      { state: 'returning', phase: 'closing', share: 90, cause: 'expired', epoch: 3, deadline: null },
    ]);
  });
});
