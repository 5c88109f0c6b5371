// Whether a request may wait, for what, and what it is told when it waited in vain.
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Exchange } from '../../../../router/exchange.ts';
import type { CellKnowledge } from '../../../../router/forward/cell-knowledge.ts';
import { Delivery } from '../../../../router/forward/delivery.ts';
import { Holds } from '../../../../router/forward/holds.ts';
import { Waits } from '../../../../router/forward/waits.ts';
import { closing, opened } from '../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord, type HeldWhy } from '../../../../router/health/record.ts';
import { headOf } from '../heads.ts';

const TERMS = { until: 2_000, actor: 'anna', reason: 'test', to: null };
const HOME = initialRecord('cell-a', 'cell-b');
const DRAINING = closing(HOME, { share: 30 }, null, TERMS, 0);
/** Of these two the first one goes away with the 30 %, the second stays. */
const [GOES, STAYS] = ['echo', 'acme'];
const HOLD_MS = 3_500;

type World = {
  record: HealthRecord;
  storeAnswers: boolean;
  held: HeldWhy | null;
  unreachable: string[];
  cells: string[];
};
type Told = string[];

let holds: Holds<Delivery>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  holds = new Holds({ holdMs: HOLD_MS, holdMax: 4 });
});

function waitsIn(world: Partial<World>): Waits {
  const whole = { record: HOME, storeAnswers: true, held: null, unreachable: [] as string[], ...world };
  const cells = world.cells ?? ['cell-a', 'cell-b'];
  const knowledge = {
    recordOf: () => whole.record,
    storeAnswers: whole.storeAnswers,
    heldBack: () => whole.held,
    hasCell: (cell: string) => cells.includes(cell),
    isUnreachable: (cell: string) => whole.unreachable.includes(cell),
  };
  return new Waits(knowledge as unknown as CellKnowledge, holds);
}

function delivery(tenant: string, waits: Waits): { one: Delivery; told: Told } {
  const told: Told = [];
  const refuse = (code: string): void => void told.push(code);
  const exchange = { head: headOf(), tenant, open: true, refuse } as unknown as Exchange;
  const one: Delivery = new Delivery(exchange, 'cell-a', null, null, {
    place: () => false,
    giveUp: () => waits.giveUp(one),
    left: () => undefined,
  });
  return { one, told };
}

function queues(): Record<string, number> {
  return Object.fromEntries([...holds.waiting()].map(({ cell, count }) => [cell, count]));
}

test('a tenant that is handed over waits for the end of that, whether the store answers or not', () => {
  const waits = waitsIn({ record: DRAINING, storeAnswers: false, held: 'budget', unreachable: ['cell-b'] });
  const { one, told } = delivery(GOES, waits);
  waits.holdOrRefuse(one, 'cell-a', 'cell-unavailable', null);
  expect([queues(), told]).toEqual([{ 'moving:cell-a': 1 }, []]);
  vi.advanceTimersByTime(HOLD_MS);
  expect(told).toEqual(['placement-moving']);
});

test('waiting for a handover in vain keeps nobody from waiting', () => {
  const waits = waitsIn({ record: DRAINING });
  const [first, second] = [delivery(GOES, waits), delivery(GOES, waits)];
  waits.holdMoving(first.one);
  vi.advanceTimersByTime(HOLD_MS - 1);
  waits.holdMoving(second.one);
  vi.advanceTimersByTime(1);
  expect([first.told, second.told, queues()]).toEqual([['placement-moving'], [], { 'moving:cell-a': 1 }]);
});

test('where too many wait for it another one is refused at once', () => {
  const waits = waitsIn({ record: DRAINING });
  const all = [1, 2, 3].map(() => delivery(GOES, waits));
  for (const { one } of all) waits.holdMoving(one);
  expect(all.map(({ told }) => told)).toEqual([[], [], ['placement-moving']]);
});

test('one that has waited for a verdict already waits only for what is left', () => {
  const waits = waitsIn({ record: DRAINING });
  const { one, told } = delivery(GOES, waits);
  waits.hold('cell-a', one);
  vi.advanceTimersByTime(HOLD_MS - 1);
  holds.release('cell-a', one);
  waits.holdMoving(one);
  vi.advanceTimersByTime(1);
  expect(told).toEqual(['placement-moving']);
});

test('a tenant that stays waits for a verdict on its cell, as without a handover', () => {
  const waits = waitsIn({ record: DRAINING });
  const { one, told } = delivery(STAYS, waits);
  waits.holdOrRefuse(one, 'cell-a', 'cell-unavailable', null);
  expect([queues(), told]).toEqual([{ 'cell-a': 1 }, []]);
});

test.each<[string, Partial<World>]>([
  ['the store does not answer', { storeAnswers: false }],
  ['the failover is held back', { held: 'budget' }],
  ['its cell has no neighbour', { cells: ['cell-a'] }],
  ['the neighbour can not be reached', { unreachable: ['cell-b'] }],
])('where %s nobody waits for a verdict', (_, world) => {
  const waits = waitsIn(world);
  const { one, told } = delivery('acme', waits);
  waits.holdOrRefuse(one, 'cell-a', 'cell-unavailable', null);
  expect([queues(), told]).toEqual([{}, ['cell-unavailable']]);
});

test('the other cell of the pair is the home for those that are away', () => {
  const waits = waitsIn({ record: opened(DRAINING, 0), unreachable: ['cell-b'] });
  const [goes, stays] = [delivery(GOES, waits), delivery(STAYS, waits)];
  for (const { one } of [goes, stays]) waits.holdOrRefuse(one, waits.cellOf(one), 'cell-unavailable', null);
  expect([queues(), goes.told, stays.told]).toEqual([{ 'cell-b': 1 }, [], ['cell-unavailable']]);
});

test('for a rule that a cell knows already one waits though the store does not answer', () => {
  const waits = waitsIn({ storeAnswers: false });
  const { one, told } = delivery('acme', waits);
  one.neededEpoch = 2;
  waits.holdOrRefuse(one, 'cell-a', 'cell-unavailable', null);
  expect([queues(), told]).toEqual([{ 'cell-a': 1 }, []]);
});
