// What a handover waits for: the requests of tenants that change, inside the cell that loses them, and nothing else.
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Exchange, ExchangeEnd } from '../../../../router/exchange.ts';
import type { Attempt } from '../../../../router/forward/attempt.ts';
import { Delivery } from '../../../../router/forward/delivery.ts';
import { Handovers } from '../../../../router/forward/handovers.ts';
import { Streams } from '../../../../router/forward/streams.ts';
import { closing, opened, undone } from '../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord } from '../../../../router/health/record.ts';
import { slotOf } from '../../../../router/health/verdicts/served-by.ts';
import { awayRecord } from '../../../support/machine.ts';
import { headOf } from '../heads.ts';

const TERMS = { until: 2_000, actor: 'anna', reason: 'test', to: null };
const HOME = initialRecord('cell-a', 'cell-b');
/** 30 % of cell-a's tenants go to cell-b: of these two the first one goes, the second stays. */
const DRAINING = closing(HOME, { share: 30 }, null, TERMS, 0);
const [GOES, STAYS] = ['echo', 'acme'];

let held: string[];
/** Tenants that have another home than cell-a. */
let moved: Map<string, string>;
let streams: Streams;
let handovers: Handovers;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  held = [];
  streams = new Streams();
  moved = new Map();
  const homes = {
    homeOf: (tenant: string) => moved.get(tenant) ?? 'cell-a',
    movesTo: (tenant: string, to: string) => tenant === GOES && to === 'cell-d',
  };
  handovers = new Handovers(streams, { handoverMs: 2_000, spreadMs: 1_000, homes });
  handovers.onHeld((home, epoch) => held.push(`${home} ${epoch}`));
});

type Ended = (end: ExchangeEnd) => void;

/** A request of `tenant` inside `cell`; null: inside none, it waits. */
function delivery(tenant: string | null, cell: string | null): Delivery {
  const ends: Ended[] = [];
  const exchange = { head: headOf(), tenant, onEnd: (listener: Ended) => void ends.push(listener) };
  const one = new Delivery(exchange as unknown as Exchange, 'cell-a', null, null, {
    place: () => true,
    giveUp: () => undefined,
    left: () => undefined,
  });
  if (cell !== null) one.attempt = { served: { cell }, over: false } as unknown as Attempt;
  return one;
}

function stream(one: Delivery, cell: string): number[][] {
  const told: number[][] = [];
  const end = (...words: (number | undefined)[]): void => void told.push(words.map(Number));
  const entry = { cell, tenant: one.tenant, end };
  streams.add(one.exchange, 'cell-a', entry);
  handovers.streams(one, entry);
  return told;
}

test('the two tenants of these tests are one that goes and one that stays', () => {
  expect([slotOf(GOES, 2) < 3_000, slotOf(STAYS, 2) < 3_000]).toEqual([true, false]);
});

test('with nothing inside it is held at once', () => {
  handovers.follow(DRAINING, []);
  expect(held).toEqual(['cell-a 2']);
});

test('what is inside the losing cell is waited for, however it leaves', () => {
  const [answered, broken] = [delivery(GOES, 'cell-a'), delivery(GOES, 'cell-a')];
  handovers.follow(DRAINING, [answered, broken]);
  answered.out();
  expect(held).toEqual([]);
  broken.ended();
  expect(held).toEqual(['cell-a 2']);
  broken.ended();
  answered.ended();
  expect(held).toEqual(['cell-a 2']);
});

test('of a cut-over only what is to move is waited for and ended, though its ranges hold others', () => {
  const changing = { tenants: [], buckets: [[0, 65_535] as [number, number]] };
  const moved = [{ buckets: [0, 65_535] as [number, number], to: 'cell-d', generation: 2 }];
  const record = closing(HOME, { moved }, changing, { ...TERMS, to: 'cell-d' }, 0);
  const [goes, stays] = [delivery(GOES, 'cell-a'), delivery(STAYS, 'cell-a')];
  const told = [goes, stays].map((one) => stream(one, 'cell-a'));
  handovers.follow(record, [goes, stays]);
  vi.advanceTimersByTime(2_000);
  expect(told.map(({ length }) => length)).toEqual([1, 0]);
  expect(held).toEqual([]);
  goes.out();
  expect(held).toEqual(['cell-a 2']);
});

test.each([
  ['of a tenant that stays', delivery(STAYS, 'cell-a')],
  ['that is inside no cell', delivery(GOES, null)],
  ['in the cell that gains the tenant', delivery(GOES, 'cell-b')],
])('a request %s is not waited for', (_, one) => {
  handovers.follow(DRAINING, [one]);
  expect(held).toEqual(['cell-a 2']);
});

test('one whose answer is whole already is not waited for, though its client reads it still', () => {
  const one = delivery(GOES, 'cell-a');
  one.attempt = { served: { cell: 'cell-a' }, over: true } as unknown as Attempt;
  handovers.follow(DRAINING, [one]);
  expect(held).toEqual(['cell-a 2']);
});

test('on the way home it is the neighbour that is waited for', () => {
  const returning = closing(awayRecord('cell-a', 'cell-b', 7), { share: 0 }, null, TERMS, 0);
  const [inNeighbour, inHome] = [delivery('acme', 'cell-b'), delivery('acme', 'cell-a')];
  handovers.follow(returning, [inNeighbour, inHome]);
  expect(held).toEqual([]);
  inNeighbour.out();
  expect(held).toEqual(['cell-a 8']);
});

test('requests without a tenant are those of the tenant of no name', () => {
  const pins = { '': { cell: 'cell-b', until: 9_000 } };
  const pinning = closing(HOME, { pins }, { tenants: [''], buckets: [] }, TERMS, 0);
  const [nameless, named] = [delivery(null, 'cell-a'), delivery('acme', 'cell-a')];
  handovers.follow(pinning, [nameless, named]);
  expect(held).toEqual([]);
  nameless.out();
  expect(held).toEqual(['cell-a 2']);
});

test('of a handover that was undone nothing is said any more, and the next one is counted anew', () => {
  const one = delivery(GOES, 'cell-a');
  handovers.follow(DRAINING, [one]);
  const back = undone(DRAINING, 0);
  handovers.follow(back, [one]);
  const again = closing(back, { share: 100 }, null, TERMS, 0);
  handovers.follow(again, [one]);
  expect(held).toEqual([]);
  one.out();
  expect(held).toEqual(['cell-a 4']);
});

test('one that leaves after the end is no news', () => {
  const one = delivery(GOES, 'cell-a');
  handovers.follow(DRAINING, [one]);
  handovers.follow(opened(DRAINING, 0), [one]);
  one.out();
  expect(held).toEqual([]);
});

test('each home is for itself', () => {
  const one = delivery(GOES, 'cell-a');
  handovers.follow(DRAINING, [one]);
  handovers.follow(closing(initialRecord('cell-c', 'cell-d'), { share: 100 }, null, TERMS, 0), []);
  expect(held).toEqual(['cell-c 2']);
});

test('a closing record whose changes are not known waits for both cells', () => {
  const shown: HealthRecord = {
    ...HOME,
    epoch: 5,
    phase: 'closing',
    changing: { tenants: ['acme'], buckets: [] },
  };
  const both = [delivery('acme', 'cell-a'), delivery('acme', 'cell-b')];
  handovers.follow(shown, both);
  for (const one of both) {
    expect(held).toEqual([]);
    one.out();
  }
  expect(held).toEqual(['cell-a 5']);
});

test('streams of tenants that go are ended with 1012 within the spread, those of others stay', () => {
  const [goes, stays] = [delivery(GOES, 'cell-a'), delivery(STAYS, 'cell-a')];
  const [goesTold, staysTold] = [stream(goes, 'cell-a'), stream(stays, 'cell-a')];
  handovers.follow(DRAINING, [goes, stays]);
  vi.advanceTimersByTime(1_000);
  expect([goesTold, staysTold]).toEqual([[[1012, 500]], []]);
  expect(held).toEqual([]);
  goes.ended();
  expect(held).toEqual(['cell-a 2']);
});

test('one that turns out to be a stream amid a handover is ended as well', () => {
  const [goes, stays] = [delivery(GOES, 'cell-a'), delivery(STAYS, 'cell-a')];
  handovers.follow(DRAINING, [goes, stays]);
  const [goesTold, staysTold] = [stream(goes, 'cell-a'), stream(stays, 'cell-a')];
  vi.advanceTimersByTime(1_000);
  expect([goesTold, staysTold]).toEqual([[[1012, 500]], []]);
});

test('streams end at moments of their own', () => {
  const ends: number[] = [];
  const all = Array.from({ length: 200 }, () => delivery(GOES, 'cell-a'));
  for (const one of all) {
    streams.add(one.exchange, 'cell-a', { cell: 'cell-a', tenant: GOES, end: () => void ends.push(now) });
  }
  let now = 0;
  handovers.follow(DRAINING, all);
  for (; now < 1_000; now += 100) vi.advanceTimersByTime(100);
  expect(ends).toHaveLength(200);
  expect(new Set(ends).size).toBe(10);
});

test('a failover at once to a living neighbour ends the streams in the cell that was left', () => {
  const one = delivery('acme', 'cell-a');
  const told = stream(one, 'cell-a');
  handovers.endElsewhere(awayRecord('cell-a', 'cell-b', 2));
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([[1012, 500]]);
});

test('the streams of a tenant that was cut over unseen end, and those of the others go on', () => {
  const [gone, stays, nobody] = [GOES, STAYS, null].map((tenant) =>
    stream(delivery(tenant, 'cell-a'), 'cell-a'),
  );
  moved.set(GOES, 'cell-d').set('', 'cell-d');
  handovers.endElsewhere({ ...HOME, epoch: 4 });
  vi.advanceTimersByTime(1_000);
  expect([gone, stays, nobody]).toEqual([[[1012, 500]], [], []]);
});

test('nothing ends elsewhere while its tenant is being handed over: that is waited for', () => {
  const told = stream(delivery(GOES, 'cell-b'), 'cell-b');
  handovers.endElsewhere(DRAINING);
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual([]);
});

test('a handover ended lately for as long as it may have closed, however it ended', () => {
  for (const end of [opened, undone]) {
    expect(handovers.endedLately('cell-a')).toBe(false);
    handovers.follow(DRAINING, []);
    expect(handovers.endedLately('cell-a')).toBe(false);
    handovers.follow(end(DRAINING, 0), []);
    expect([handovers.endedLately('cell-a'), handovers.endedLately('cell-b')]).toEqual([true, false]);
    vi.advanceTimersByTime(2_000);
  }
});

test('a record that is open all along says of no handover that it ended', () => {
  handovers.follow({ ...HOME, epoch: 2 }, []);
  expect(handovers.endedLately('cell-a')).toBe(false);
});
