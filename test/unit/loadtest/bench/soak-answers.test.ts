// Which answers of the long mixed load are right, which ones a lost cell excuses, and which ones nothing does.
import { expect, test } from 'vitest';
import { judgeAnswer, NO_ANSWER, type Answer } from '../../../../loadtest/bench/soak-answers.ts';
import { judgeStreams } from '../../../../loadtest/bench/soak-streams.ts';
import { Weather } from '../../../../loadtest/bench/soak-weather.ts';

const OF = { tenant: 'acme', home: 'cell-a', neighbour: 'cell-b' };
const SERVED: Answer = { ...NO_ANSWER, status: 200, cell: 'cell-a', whole: true };

/** Weather with one event at cell-a, from second 10 to 20. */
function weatherWith(kind: 'fault' | 'move'): Weather {
  const weather = new Weather();
  const times = [10_000, 20_000];
  const over = weather.begin('cell-a', kind, () => times.shift() ?? Number.NaN);
  over();
  return weather;
}

function judged(right: boolean, change: Partial<Answer>, weather: Weather, startedAtMs: number): string {
  const span = { of: OF, startedAtMs, endedAtMs: startedAtMs + 1 };
  return judgeAnswer(right, { ...SERVED, ...change }, span, weather);
}

test('a right answer of the neighbour is right only while the home’s tenants may be away', () => {
  const weather = weatherWith('move');
  expect(judged(true, { cell: 'cell-b' }, weather, 15_000)).toBe('right');
  expect(judged(true, { cell: 'cell-b' }, weather, 5_000)).toBe('wrong');
  expect(judged(true, { cell: 'cell-a' }, weather, 5_000)).toBe('right');
});

test('a third cell’s answer is always wrong', () => {
  expect(judged(true, { cell: 'cell-c' }, weatherWith('fault'), 15_000)).toBe('wrong');
});

test('a failure is excused while a cell is lost, and not while tenants are handed over', () => {
  const failure = { status: 502, code: 'cell-connection-failed', cell: null };
  expect(judged(false, failure, weatherWith('fault'), 15_000)).toBe('excused');
  expect(judged(false, failure, weatherWith('move'), 15_000)).toBe('wrong');
  expect(judged(false, failure, weatherWith('fault'), 25_000)).toBe('wrong');
});

test('an answer that hangs, and a failure of the router’s own, are never excused', () => {
  const weather = weatherWith('fault');
  expect(judged(false, { hung: true }, weather, 15_000)).toBe('wrong');
  expect(judged(true, { hung: true }, weather, 15_000)).toBe('wrong');
  expect(judged(false, { status: 500, cell: null }, weather, 15_000)).toBe('wrong');
  expect(judged(false, { status: 0, cell: null, whole: false }, weather, 15_000)).toBe('wrong');
});

test('a WebSocket that ends early is excused while its tenant changes cell', () => {
  const cut = { status: 101, whole: false };
  expect(judged(false, cut, weatherWith('move'), 15_000)).toBe('excused');
  expect(judged(false, cut, weatherWith('move'), 5_000)).toBe('wrong');
});

test('a stream that is told to come back is explained by a move, one that is cut is not', () => {
  const end = { tenant: 'acme', kind: 'websocket', router: 0, cell: 'cell-a', atMs: 15_000 } as const;
  const ends = [
    { ...end, how: 'restart' } as const,
    { ...end, how: 'cut' } as const,
    { ...end, how: 'restart', atMs: 5_000 } as const,
  ];
  const { all, wrong } = judgeStreams({ ends, refusals: [] }, [OF], weatherWith('move'));
  expect(all).toEqual({ 'websocket, restart': 2, 'websocket, cut': 1 });
  expect(wrong).toEqual({ 'websocket, restart': 1, 'websocket, cut': 1 });
});
