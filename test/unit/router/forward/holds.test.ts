// Requests that wait for a verdict: how many, how long, in which order, and what becomes of them.
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { Holds, type HoldKind, type Waiting } from '../../../../router/forward/holds.ts';
import { LIMITS } from '../../../../router/limits.ts';

const HOLD_MS = 1_000;

type Guest = Waiting & { name: string; decided: boolean; kind: HoldKind };

/** What became of the waiting, in order: `placed x`, `gave up x`. */
let story: string[];
/** Whether there is a place for those who are tried. */
let open: boolean;

beforeEach(() => {
  story = [];
  open = true;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
});

function guest(name: string, place = (): boolean => open, tenant = name): Guest {
  return {
    name,
    tenant,
    heldSinceMs: null,
    decided: false,
    kind: 'verdict',
    place: () => {
      const placed = place();
      if (placed) story.push(`placed ${name}`);
      return placed;
    },
    giveUp: () => void story.push(`gave up ${name}`),
  };
}

function holdsOf(holdMax = 100): Holds {
  return new Holds({ holdMs: HOLD_MS, holdMax });
}

function count(holds: Holds, cell = 'cell-a'): number {
  return [...holds.waiting()].find((one) => one.cell === cell)?.count ?? 0;
}

/** Ends what still waits, so that no timer is left. */
function clear(holds: Holds, ...cells: string[]): void {
  open = true;
  for (const cell of cells) holds.wake(cell);
}

test('those who wait are placed when something changes, oldest first', () => {
  const holds = holdsOf();
  for (const name of ['x', 'y', 'z']) expect(holds.hold('cell-a', guest(name))).toBe(true);
  expect(count(holds)).toBe(3);
  holds.wake('cell-a');
  expect(story).toEqual(['placed x', 'placed y', 'placed z']);
  expect(count(holds)).toBe(0);
});

test('what changes for one cell does not wake those who wait for another', () => {
  const holds = holdsOf();
  holds.hold('cell-a', guest('x'));
  holds.wake('cell-b');
  expect(story).toEqual([]);
  clear(holds, 'cell-a');
});

test('nobody waits longer than the limit, and then no other waits for that cell either', () => {
  const holds = holdsOf();
  holds.hold('cell-a', guest('x'));
  vi.advanceTimersByTime(400);
  holds.hold('cell-a', guest('y'));
  vi.advanceTimersByTime(599);
  expect(story).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(story).toEqual(['gave up x', 'gave up y']);
  expect(count(holds)).toBe(0);
});

test('after a wait without a verdict nothing is held for that cell for ten seconds', () => {
  const holds = holdsOf();
  holds.hold('cell-a', guest('x'));
  vi.advanceTimersByTime(HOLD_MS);
  vi.advanceTimersByTime(LIMITS.noHoldMs - 1);
  expect(holds.hold('cell-a', guest('y'))).toBe(false);
  expect(holds.hold('cell-b', guest('other cell'))).toBe(true);
  vi.advanceTimersByTime(1);
  expect(holds.hold('cell-a', guest('z'))).toBe(true);
  clear(holds, 'cell-a', 'cell-b');
});

test('one cell’s requests take half of the places at most, and all cells’ no more than there are', () => {
  const holds = holdsOf(6);
  const held = (cell: string): boolean[] => [1, 2, 3, 4].map(() => holds.hold(cell, guest(cell)));
  expect(held('cell-a')).toEqual([true, true, true, false]);
  expect(held('cell-b')).toEqual([true, true, true, false]);
  expect(held('cell-c')).toEqual([false, false, false, false]);
  clear(holds, 'cell-a', 'cell-b');
  expect(held('cell-c')).toEqual([true, true, true, false]);
  clear(holds, 'cell-c');
});

test('of a queue that is half full one tenant has a quarter, and the others find the rest', () => {
  const holds = holdsOf(200);
  const held = (tenant: string, tries: number): number =>
    Array.from({ length: tries }, (_, i) =>
      holds.hold('cell-a', guest(`${tenant}${i}`, undefined, tenant)),
    ).filter((one) => one).length;
  expect([held('noisy', 90), held('calm', 30), held('other', 90)]).toEqual([50, 25, 25]);
  clear(holds, 'cell-a');
  expect(held('noisy', 90)).toBe(50);
  clear(holds, 'cell-a');
});

test('a single place can be taken, and without places nobody waits', () => {
  const holds = holdsOf(1);
  expect([holds.hold('cell-a', guest('x')), holds.hold('cell-a', guest('y'))]).toEqual([true, false]);
  clear(holds, 'cell-a');
  expect(holdsOf(0).hold('cell-a', guest('x'))).toBe(false);
});

test('who leaves is forgotten, its place is free, and leaving twice frees one place', () => {
  const holds = holdsOf(2);
  const [x, y] = [guest('x'), guest('y')];
  holds.hold('cell-a', x);
  holds.release('cell-a', x);
  holds.release('cell-a', x);
  holds.release('cell-z', x);
  expect(holds.hold('cell-a', y)).toBe(true);
  expect([holds.hold('cell-a', guest('z')), holds.hold('cell-b', guest('z'))]).toEqual([false, true]);
  holds.release('cell-a', y);
  vi.advanceTimersByTime(HOLD_MS / 2);
  clear(holds, 'cell-b');
  expect(story).toEqual(['placed z']);
});

test('who finds no room waits on in its old place, and only as long as was left', () => {
  const holds = holdsOf();
  const first = guest('x', () => false);
  holds.hold('cell-a', first);
  holds.hold('cell-a', guest('y'));
  vi.advanceTimersByTime(600);
  holds.wake('cell-a');
  expect(story).toEqual(['placed y']);
  vi.advanceTimersByTime(400);
  expect(story).toEqual(['placed y', 'gave up x']);
});

test('where something moved meanwhile, one that waited too long gives up alone, and holding goes on', () => {
  const holds = holdsOf();
  holds.hold(
    'cell-a',
    guest('x', () => false),
  );
  vi.advanceTimersByTime(500);
  holds.hold('cell-a', guest('y'));
  holds.wake('cell-a');
  holds.hold('cell-a', guest('z'));
  vi.advanceTimersByTime(500);
  expect(story).toEqual(['placed y', 'gave up x']);
  expect(holds.hold('cell-a', guest('after'))).toBe(true);
  clear(holds, 'cell-a');
});

test('one that brought its wait along from another cell does not speak for those who wait here', () => {
  const holds = holdsOf();
  const old = guest('old');
  holds.hold('cell-a', old);
  vi.advanceTimersByTime(900);
  open = false;
  holds.release('cell-a', old);
  holds.hold('cell-b', old);
  holds.hold('cell-b', guest('new'));
  vi.advanceTimersByTime(100);
  expect(story).toEqual(['gave up old']);
  expect(count(holds, 'cell-b')).toBe(1);
  clear(holds, 'cell-b');
});

test('one that waited for room or for news of a verdict does not close the waiting', () => {
  const holds = holdsOf();
  holds.hold('cell-a', { ...guest('x'), decided: true });
  vi.advanceTimersByTime(HOLD_MS);
  expect(story).toEqual(['gave up x']);
  expect(holds.hold('cell-a', guest('y'))).toBe(true);
  clear(holds, 'cell-a');
});

test('a vain wake does not hide that nothing moves', () => {
  const holds = holdsOf();
  open = false;
  holds.hold('cell-a', guest('x'));
  holds.hold('cell-a', guest('y'));
  vi.advanceTimersByTime(500);
  holds.wake('cell-a');
  vi.advanceTimersByTime(500);
  expect(story).toEqual(['gave up x', 'gave up y']);
  expect(holds.hold('cell-a', guest('z'))).toBe(false);
});

test('one that comes back to wait while it is placed is not tried again in the same wake', () => {
  const holds = holdsOf();
  let tries = 0;
  const x: Guest = guest('x', () => {
    tries += 1;
    return holds.hold('cell-a', x);
  });
  holds.hold('cell-a', x);
  holds.wake('cell-a');
  expect([tries, count(holds)]).toEqual([1, 1]);
  holds.release('cell-a', x);
  expect(count(holds)).toBe(0);
});

test('one that leaves while others are placed is not placed', () => {
  const holds = holdsOf();
  const y = guest('y');
  holds.hold(
    'cell-a',
    guest('x', () => {
      holds.release('cell-a', y);
      return true;
    }),
  );
  holds.hold('cell-a', y);
  holds.wake('cell-a');
  expect(story).toEqual(['placed x']);
});

test('waiting a second time counts on from the first: there is one limit for both', () => {
  const holds = holdsOf();
  const x = guest('x');
  holds.hold('cell-a', x);
  vi.advanceTimersByTime(700);
  holds.wake('cell-a');
  vi.advanceTimersByTime(200);
  expect(holds.hold('cell-b', x)).toBe(true);
  vi.advanceTimersByTime(100);
  expect(story).toEqual(['placed x', 'gave up x']);
  expect(holds.hold('cell-c', x)).toBe(false);
});

test('the end of each hold is told, with what it was for and how long it took', () => {
  const holds = holdsOf();
  const told: string[] = [];
  holds.onOver((kind, ms) => told.push(`${kind} ${ms}`));
  const [placed, left, late] = [guest('placed'), guest('left'), guest('late')];
  for (const one of [placed, left, late]) holds.hold('cell-a', one);
  vi.advanceTimersByTime(100);
  holds.release('cell-a', left);
  holds.release('cell-a', left);
  vi.advanceTimersByTime(100);
  holds.wake('cell-a', (one) => one === placed);
  vi.advanceTimersByTime(HOLD_MS);
  expect(told).toEqual(['verdict 100', 'verdict 200', 'verdict 1000']);
});

test('one that is placed, and comes back to wait for the same at once, has one hold', () => {
  const holds = holdsOf();
  const told: string[] = [];
  holds.onOver((kind, ms) => told.push(`${kind} ${ms}`));
  const back = guest('back', () => open || holds.hold('cell-a', back));
  holds.hold('cell-a', back);
  open = false;
  vi.advanceTimersByTime(100);
  holds.wake('cell-a');
  vi.advanceTimersByTime(100);
  clear(holds, 'cell-a');
  expect(told).toEqual(['verdict 200']);
});

test('one that is tried in vain has one hold, unless it waits for something else from then on', () => {
  const holds = holdsOf();
  const told: string[] = [];
  holds.onOver((kind, ms) => told.push(`${kind} ${ms}`));
  open = false;
  const steady = guest('steady');
  const turned = guest('turned', () => {
    turned.kind = 'room';
    return open;
  });
  for (const one of [steady, turned]) holds.hold('cell-a', one);
  vi.advanceTimersByTime(100);
  holds.wake('cell-a');
  vi.advanceTimersByTime(100);
  clear(holds, 'cell-a');
  expect(told).toEqual(['verdict 100', 'verdict 200', 'room 100']);
});
