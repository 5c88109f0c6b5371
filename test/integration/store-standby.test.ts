// Where the fleet requires a standby: what either store holds back, and refuses an operator, until it is synced.
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Vote } from '../../router/health/record.ts';
import type { Change, Store, Wish } from '../../router/health/store.ts';
import { DOWN, homesOf, machineOf, syncedOf, UP, type Machine } from '../support/machine.ts';
import { bothStores } from '../support/both-stores.ts';

const HOMES = homesOf('cell-a', 'cell-b', 'cell-c');
const ALL_UP: Record<string, Vote> = { 'cell-a': UP, 'cell-b': UP, 'cell-c': UP };
const SYNCED = { ...ALL_UP, 'cell-b': syncedOf('cell-a') };
const A_DOWN = { ...ALL_UP, 'cell-a': DOWN };
const A_DOWN_SYNCED = { ...SYNCED, 'cell-a': DOWN };

const ASKED = {
  home: 'cell-a',
  neighbour: 'cell-b',
  actor: 'ada',
  reason: 'disk swap',
  owner: 'core',
  expiresInMs: 1_000,
  requiresStandby: true,
  override: [] as string[],
};
const changeTo = (wish: Wish, override: string[] = []): Change => {
  return { ...ASKED, wish, override, cause: 'operator', handoverMs: 2_000 };
};
const OVERRULED = ['standby-synced'];
const REFUSED = { refused: 'no-standby', rule: 'standby-synced' };

const { stores } = bothStores();

describe.each(stores)('the %s store', (_, make) => {
  let now = 0;
  let store: Store;

  beforeEach(() => {
    now = 1_790_000_000_000;
    const opened = make(() => now);
    store = opened;
    onTestFinished(async () => await opened.close());
  });

  const machine = (id: string): Machine => machineOf(store, id, HOMES, { requiresStandby: true });

  test('holds a home until the majority finds the standby at its neighbour synced', async () => {
    const [r1, r2, r3] = ['r1', 'r2', 'r3'].map(machine) as [Machine, Machine, Machine];
    for (const one of [r1, r2, r3]) await one.beat(ALL_UP);
    await r1.beat(A_DOWN_SYNCED);
    for (const one of [r2, r3]) {
      expect((await one.beat(A_DOWN)).held).toEqual([{ home: 'cell-a', why: 'no-standby' }]);
    }
    expect(await store.events(10)).toMatchObject([{ cell: 'cell-a', details: { held: 'no-standby' } }]);
    const { held, records } = await r2.beat(A_DOWN_SYNCED);
    expect([held, records]).toMatchObject([[], [{ home: 'cell-a', target: 'cell-b', share: 100 }]]);
  });

  test('asks for no standby where the fleet does not', async () => {
    const { records } = await machineOf(store, 'r1', HOMES).beat(A_DOWN);
    expect(records).toMatchObject([{ home: 'cell-a', target: 'cell-b' }]);
  });

  test('refuses to force a failover without one, unless that is overruled', async () => {
    await machine('r1').beat(ALL_UP);
    expect(await store.failOver(ASKED)).toEqual(REFUSED);
    expect(await store.failOver({ ...ASKED, override: OVERRULED })).toMatchObject({
      record: { state: 'failed-over' },
    });
  });

  test.each<[string, Wish]>([
    ['a drain', { kind: 'share', percent: 10 }],
    ['an evacuation', { kind: 'share', percent: 100 }],
    ['a pin', { kind: 'pin', tenant: 'acme', cell: 'cell-b' }],
  ])('refuses %s to a neighbour without one, unless that is overruled', async (__, wish) => {
    await machine('r1').beat(ALL_UP);
    expect(await store.change(changeTo(wish))).toEqual(REFUSED);
    const begun = await store.change(changeTo(wish, OVERRULED));
    expect(begun).toMatchObject({ record: { phase: 'closing' } });
  });

  test('begins a drain to a neighbour that has one', async () => {
    await machine('r1').beat(SYNCED);
    const begun = await store.change(changeTo({ kind: 'share', percent: 10 }));
    expect(begun).toMatchObject({ record: { phase: 'closing', share: 10 } });
  });

  test('leaves the neighbour that has a standby in place until that of a new file has one', async () => {
    const r1 = machine('r1');
    expect(await r1.beat(SYNCED)).toMatchObject({
      records: [{ home: 'cell-a', neighbour: 'cell-b', epoch: 1, since: null, cause: null }],
    });
    expect(await store.events(10)).toEqual([]);
    const homes = HOMES.map((rule) => (rule.home === 'cell-a' ? { ...rule, neighbour: 'cell-c' } : rule));
    r1.fleet = { fleetDigest: 'next', homes, fleetInForce: true };
    await r1.beat(SYNCED);
    expect(r1.records.get('cell-a')).toMatchObject({ neighbour: 'cell-b', epoch: 1 });
    await r1.beat({ ...SYNCED, 'cell-c': syncedOf('cell-a') });
    expect(r1.records.get('cell-a')).toMatchObject({ neighbour: 'cell-c', epoch: 2 });
  });

  test('takes everybody home without one', async () => {
    const r1 = machine('r1');
    await r1.beat(A_DOWN_SYNCED);
    expect(await store.change(changeTo({ kind: 'share', percent: 0 }, ['target-up']))).toMatchObject({
      record: { phase: 'closing', share: 0 },
    });
  });
});
