// Handovers through both stores: how they begin, and how the beats of the machines end them.
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MOVES_MOST } from '../../router/health/verdicts/moved.ts';
import type { HealthRecord } from '../../router/health/record.ts';
import { servedBy } from '../../router/health/verdicts/served-by.ts';
import type { Change, Store, Wish } from '../../router/health/store.ts';
import { awayRecord, DOWN, homesOf, machineOf, UP, type Machine } from '../support/machine.ts';
import { bothStores } from '../support/both-stores.ts';

const HOMES = homesOf('cell-a', 'cell-b', 'cell-c');
const ALL_UP = { 'cell-a': UP, 'cell-b': UP, 'cell-c': UP };
const A_DOWN = { ...ALL_UP, 'cell-a': DOWN };
const B_DOWN = { ...ALL_UP, 'cell-b': DOWN };
const HANDOVER_MS = 2_000;

const { stores } = bothStores();

/** A change of cell-a. */
function changeTo(wish: Wish, more: Partial<Change> = {}): Change {
  const [home, neighbour, cause] = ['cell-a', 'cell-b', 'operator'] as const;
  const said = { actor: 'ada', reason: 'disk "swap"', owner: 'core', expiresInMs: 60_000 };
  return {
    home,
    neighbour,
    wish,
    cause,
    ...said,
    handoverMs: HANDOVER_MS,
    requiresStandby: false,
    override: [],
    ...more,
  };
}

const share = (percent: number): Wish => ({ kind: 'share', percent });
const pin = (tenant: string, cell: string | null): Wish => ({ kind: 'pin', tenant, cell });
function cutOver(to: string, buckets: [number, number][], tenants: string[] = []): Wish {
  return { kind: 'cut-over', to, buckets, tenants, generation: 2 };
}

describe.each(stores)('the %s store', (_, make) => {
  let now = 0;
  let store: Store;
  let r1: Machine;
  let r2: Machine;

  beforeEach(async () => {
    now = 1_790_000_000_000;
    store = make(() => now);
    [r1, r2] = [machineOf(store, 'r1', HOMES), machineOf(store, 'r2', HOMES)];
    await beatAll();
    onTestFinished(async () => await store.close());
  });

  /** The first one once more, so that it hears what the others' beats decided. */
  async function beatAll(votes: Parameters<Machine['beat']>[0] = ALL_UP): Promise<void> {
    for (const one of [r1, r2, r1]) await one.beat(votes);
  }

  /** All confirm what is closing, and its end is heard. */
  async function confirm(): Promise<void> {
    await beatAll();
    for (const one of [r1, r2]) one.confirming = 'ready';
    await beatAll();
    for (const one of [r1, r2]) one.confirming = 'nothing';
  }

  const ofA = () => r1.records.get('cell-a');
  const change = async (wish: Wish, more?: Partial<Change>) => await store.change(changeTo(wish, more));

  test('a machine that confirms a handover which the store does not know has it brought back', async () => {
    const { record } = (await change(share(100))) as { record: HealthRecord };
    r1.records.set('cell-a', { ...record, epoch: 9 });
    r1.confirming = 'ready';
    expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: true });
    expect(await r1.beatOnce(ALL_UP)).toMatchObject({ behind: false, records: [{ epoch: 9 }] });
  });

  test('an epoch that was given twice is given up: what is stored stands, at the next one', async () => {
    const { record } = (await change(share(100))) as { record: HealthRecord };
    await store.restore([{ ...record, since: null, cause: null, handover: null }], 0);
    await r1.beat(ALL_UP);
    expect(ofA()).toMatchObject({ epoch: 2 });
    await store.restore([awayRecord('cell-a', 'cell-b', 2)], 0);
    await r1.beat(ALL_UP);
    expect(ofA()).toEqual({ ...record, epoch: 3 });
  });

  /** r1 is restarted: the process before, which has something inside, and its successor, which has not. */
  async function restarted(): Promise<[Machine, Machine]> {
    await store.leave('r1');
    const both: [Machine, Machine] = [machineOf(store, 'r1', HOMES), machineOf(store, 'r1', HOMES)];
    for (const [i, one] of both.entries()) {
      one.process = `p${i}`;
      await one.beat(ALL_UP);
      r1 = one;
    }
    return both;
  }

  test('a router that is replaced confirms for itself, beside its successor of the same name', async () => {
    const [former, successor] = await restarted();
    await change(share(100));
    for (const one of [former, successor, r2]) await one.beat(ALL_UP);
    former.confirming = 'ready-alone';
    for (const one of [successor, r2]) one.confirming = 'ready';
    for (const one of [former, successor, r2, former]) await one.beat(ALL_UP);
    expect(former.records.get('cell-a')).toMatchObject({ phase: 'closing' });
    now += HANDOVER_MS;
    await former.beat(ALL_UP);
    const [event] = await store.events(1);
    expect(event?.details).toMatchObject({ phase: 'undone', waitingFor: ['r1: requests inside'] });
  });

  test('a router that leaves takes no successor with it', async () => {
    const [former, successor] = await restarted();
    await store.tellLoad('r1 p1', []);
    await store.leave('r1 p0');
    const { routers } = await successor.beat(ALL_UP);
    expect(routers.map(({ id, name }) => [id, name])).toEqual([
      ['r1', 'r1 p1'],
      ['r2', 'r2'],
    ]);
    expect(await store.loads([`r1 ${former.process}`, `r1 ${successor.process}`])).toEqual(
      new Map([['r1 p1', []]]),
    );
  });

  test('a router that died and is back at once counts as live until its last beat expires', async () => {
    const [, successor] = await restarted();
    await change(share(100));
    await beatAll();
    for (const one of [successor, r2]) one.confirming = 'ready';
    await beatAll();
    now += 1_900;
    await beatAll();
    expect(ofA()).toMatchObject({ phase: 'closing' });
    now += 1_000;
    await beatAll();
    expect(ofA()).toMatchObject({ phase: 'open', share: 100 });
  });

  test('two processes of a router have one vote, that of the one that beat last', async () => {
    const [former, successor] = await restarted();
    const r3 = machineOf(store, 'r3', HOMES);
    await r3.beat(ALL_UP);
    for (const one of [former, successor]) await one.beat(A_DOWN);
    await r2.beat(ALL_UP);
    expect(await store.events(10)).toEqual([]);
    await r2.beat(A_DOWN);
    now += 1;
    await former.beat(ALL_UP);
    expect(await store.events(10)).toMatchObject([
      { to: 'returning', details: { votes: { r1: 'up', r2: 'down', r3: 'up' } } },
      { to: 'failed-over', details: { votes: { r1: 'down', r2: 'down', r3: 'up' } } },
    ]);
  });

  test('a drain is closing first, and drained once all machines have confirmed it', async () => {
    const { record } = (await change(share(100))) as { record: object };
    expect(record).toMatchObject({
      state: 'drained',
      phase: 'closing',
      share: 100,
      shareBefore: 0,
      epoch: 2,
    });
    await beatAll();
    r1.confirming = 'ready';
    await beatAll();
    expect(ofA()).toMatchObject({ phase: 'closing', epoch: 2 });
    r2.confirming = 'held';
    await beatAll();
    expect(ofA()).toMatchObject({
      state: 'drained',
      phase: 'open',
      target: 'cell-b',
      operation: null,
      epoch: 3,
    });
    const [opened, closing] = await store.events(2);
    const said = { actor: 'ada', reason: 'disk "swap"', cause: 'operator', to: 'drained' };
    expect(closing).toMatchObject({ ...said, from: 'serving', details: { phase: 'closing', owner: 'core' } });
    expect(opened).toMatchObject({ ...said, from: 'drained', details: { phase: 'open', share: 100 } });
  });

  test('a handover that is not confirmed in time is undone, and says who was waited for', async () => {
    await change(share(30));
    await beatAll();
    r1.confirming = 'ready-alone';
    now += HANDOVER_MS - 1;
    await beatAll();
    expect(ofA()).toMatchObject({ phase: 'closing', epoch: 2 });
    now += 1;
    await beatAll();
    expect(ofA()).toMatchObject({
      state: 'serving',
      phase: 'open',
      share: 0,
      operation: null,
      epoch: 3,
      undone: 1,
    });
    expect(await store.events(1)).toMatchObject([
      { details: { phase: 'undone', waitingFor: ['r1: requests inside', 'r2: no answer'] } },
    ]);
  });

  test('the tenants of a cell that recovered come home in steps', async () => {
    await store.restore([awayRecord('cell-a', 'cell-b', 7)], 0);
    const shares = [];
    for (let i = 0; i < 3; i += 1) {
      await confirm();
      shares.push(ofA()?.shareBefore, ofA()?.share);
    }
    expect(shares).toEqual([90, 50, 50, 0, 50, 0]);
    expect(ofA()).toMatchObject({ state: 'serving', phase: 'open', epoch: 13, cause: 'recovered' });
  });

  test('a cell that fails on its way home goes back at once', async () => {
    await store.restore([awayRecord('cell-a', 'cell-b', 7)], 0);
    await confirm();
    await beatAll(A_DOWN);
    expect(ofA()).toMatchObject({ state: 'failed-over', phase: 'open', share: 100, relapses: 1 });
  });

  test('the same share again changes its end alone, and none where none is away nothing', async () => {
    expect(await change(share(0))).toMatchObject({ record: { epoch: 1, neighbour: 'cell-b' } });
    expect(await store.events(1)).toEqual([]);
    await change(share(30));
    await confirm();
    expect(await change(share(30), { expiresInMs: 5 })).toMatchObject({
      record: { phase: 'open', share: 30, epoch: 4, deadline: now + 5 },
    });
  });

  test('a drain that expires ends like a failover, in steps', async () => {
    await change(share(60), { expiresInMs: 500 });
    await confirm();
    now += 500;
    await beatAll();
    expect(ofA()).toMatchObject({ state: 'returning', phase: 'closing', share: 50, cause: 'expired' });
  });

  test('a lost neighbour ends a handover, and gives its tenants back at once', async () => {
    await change(share(60));
    await beatAll(B_DOWN);
    expect(ofA()).toMatchObject({
      state: 'serving',
      phase: 'open',
      share: 0,
      cause: 'neighbour-lost',
      epoch: 3,
    });
  });

  test('a forced failover overrides a handover that is under way', async () => {
    await change(share(60));
    const { kind: __, ...wish } = { kind: 'fail-over', ...changeTo(share(0)) };
    const { record } = (await store.failOver(wish)) as { record: object };
    expect(record).toMatchObject({
      state: 'failed-over',
      phase: 'open',
      share: 100,
      epoch: 3,
      handover: null,
    });
  });

  test('knows without asking where each tenant is: a pin to there is open at once, another one closing', async () => {
    await change(share(50));
    await confirm();
    const record = ofA();
    const tenants = ['acme', 'ünïcode/"\\', '', '7', 'a tenant with more than sixteen bytes', '😀'];
    for (const tenant of tenants) {
      const cell = record === undefined ? null : servedBy(record, tenant);
      const other = cell === 'cell-a' ? 'cell-b' : 'cell-a';
      expect(await change(pin(tenant, cell))).toMatchObject({ record: { phase: 'open' } });
      expect(await change(pin(tenant, other))).toMatchObject({ record: { phase: 'closing' } });
      await confirm();
      expect(await change(pin(tenant, null))).toMatchObject({ record: { phase: 'closing' } });
      await confirm();
    }
    expect(ofA()).toMatchObject({ phase: 'open', share: 50, pins: {}, operation: record?.operation });
  });

  test('a pin that expires is ended by a handover of its own', async () => {
    await change(pin('acme', 'cell-b'), { expiresInMs: 500 });
    await confirm();
    now += 500;
    await beatAll();
    expect(ofA()).toMatchObject({ phase: 'closing', pins: {}, changing: { tenants: ['acme'], buckets: [] } });
    expect(await store.events(1)).toMatchObject([{ cause: 'expired', reason: 'the pin expired' }]);
  });

  test('a cut-over raises the epochs of both homes, and what comes back is there again', async () => {
    const to = { to: 'cell-c', generation: 2 };
    await change(cutOver('cell-c', [[0, 99]], ['acme']));
    await confirm();
    expect(ofA()).toMatchObject({
      phase: 'open',
      epoch: 3,
      moved: [
        { buckets: [0, 99], ...to },
        { tenant: 'acme', to: 'cell-c' },
      ],
    });
    expect(r1.records.get('cell-c')).toMatchObject({ epoch: 2, cause: 'move', moved: [] });
    await change(cutOver('cell-a', [[20, 29]]), { home: 'cell-c', neighbour: 'cell-a' });
    await confirm();
    expect(ofA()?.moved).toEqual([
      { buckets: [0, 19], ...to },
      { buckets: [30, 99], ...to },
      { tenant: 'acme', to: 'cell-c' },
    ]);
  });

  test('a record that is full of moves takes no more, but what replaces some', async () => {
    const ranges = Array.from({ length: MOVES_MOST.ranges }, (_, i): [number, number] => [2 * i, 2 * i]);
    const tenants = Array.from({ length: MOVES_MOST.tenants }, (_, i) => `tenant-${i}`);
    await change(cutOver('cell-c', ranges, tenants));
    await confirm();
    const full = { refused: 'too-many-moves', rule: null };
    expect(await change(cutOver('cell-c', [[9_999, 9_999]]))).toEqual(full);
    expect(await change(cutOver('cell-b', [[0, 0]]))).toEqual(full);
    expect(await change(cutOver('cell-c', [], ['acme']))).toEqual(full);
    await change(cutOver('cell-c', [[0, 65_535]], ['tenant-1']));
    await confirm();
    expect(ofA()).toMatchObject({ phase: 'open', epoch: 5 });
    expect(ofA()?.moved).toHaveLength(MOVES_MOST.tenants + 1);
  });

  test('a new neighbour is in force once all machines have loaded the file that names it', async () => {
    await change(share(1));
    await confirm();
    await change(share(0));
    await confirm();
    const fleet = { fleetDigest: 'new', fleetInForce: true };
    const homes = HOMES.map((one) => (one.home === 'cell-a' ? { ...one, neighbour: 'cell-c' } : one));
    r1.fleet = { ...fleet, homes };
    await r1.beat(ALL_UP);
    expect(ofA()).toMatchObject({ neighbour: 'cell-b' });
    r2.fleet = { ...fleet, homes };
    await beatAll();
    expect(ofA()).toMatchObject({ neighbour: 'cell-c', phase: 'open', cause: 'move', epoch: 6 });
  });

  test.each<[string, Wish, Partial<Change>, string | null]>([
    ['not-found', share(10), { home: 'cell-x' }, null],
    ['not-found', cutOver('cell-x', [[0, 1]]), {}, null],
    ['no-neighbour', share(10), { neighbour: null }, null],
    ['target-away', share(10), { home: 'cell-c', neighbour: 'cell-b' }, null],
    ['handover-under-way', share(10), { home: 'cell-b', neighbour: 'cell-c' }, null],
    ['third-cell', pin('acme', 'cell-c'), {}, null],
    ['not-at-home', cutOver('cell-a', [[0, 1]]), {}, null],
    ['target-down', share(10), {}, 'target-up'],
  ])('refuses with %s: %j %j', async (refused, wish, more, rule) => {
    if (refused === 'target-away') await change(share(10), { home: 'cell-b', neighbour: 'cell-c' });
    if (refused === 'handover-under-way') await change(share(10), { home: 'cell-b', neighbour: 'cell-c' });
    if (refused === 'target-down') await beatAll(B_DOWN);
    expect(await change(wish, more)).toEqual({ refused, rule });
  });
});
