// When a machine of several workers confirms that it holds a handover's requests.
import { expect, test } from 'vitest';
import { HeldByAll } from '../../../../router/workers/held-by-all.ts';

const CLOSING = { home: 'cell-a', epoch: 5, phase: 'closing' } as const;

function withWorkers(...workers: number[]): { held: HeldByAll; confirmed: string[] } {
  const confirmed: string[] = [];
  const held = new HeldByAll((home, epoch) => confirmed.push(`${home} ${epoch}`));
  for (const worker of workers) held.joined(worker);
  return { held, confirmed };
}

test('it does once every worker has, and once only', () => {
  const { held, confirmed } = withWorkers(1, 2);
  held.follow([CLOSING]);
  held.held(1, 'cell-a', 5);
  held.held(1, 'cell-a', 5);
  expect(confirmed).toEqual([]);
  held.held(2, 'cell-a', 5);
  held.held(2, 'cell-a', 5);
  expect(confirmed).toEqual(['cell-a 5']);
});

test('a worker that ends is waited for no more', () => {
  const { held, confirmed } = withWorkers(1, 2);
  held.follow([CLOSING]);
  held.held(1, 'cell-a', 5);
  held.left(2);
  expect(confirmed).toEqual(['cell-a 5']);
});

test('the word of a worker that has ended is not its successor’s', () => {
  const { held, confirmed } = withWorkers(1, 2);
  held.follow([CLOSING]);
  held.held(1, 'cell-a', 5);
  held.left(1);
  held.joined(1);
  held.held(2, 'cell-a', 5);
  expect(confirmed).toEqual([]);
  held.held(1, 'cell-a', 5);
  expect(confirmed).toEqual(['cell-a 5']);
});

test('words about another epoch, another home, an ended handover or of nobody’s count for nothing', () => {
  const { held, confirmed } = withWorkers(1);
  held.follow([CLOSING]);
  held.held(1, 'cell-a', 4);
  held.held(1, 'cell-b', 5);
  held.held(2, 'cell-a', 5);
  held.follow([{ ...CLOSING, epoch: 6, phase: 'open' }]);
  held.held(1, 'cell-a', 5);
  expect(confirmed).toEqual([]);
});

test('a newer closing record asks all of them anew', () => {
  const { held, confirmed } = withWorkers(1, 2);
  held.follow([CLOSING]);
  held.held(1, 'cell-a', 5);
  held.follow([{ ...CLOSING, epoch: 7 }]);
  held.held(2, 'cell-a', 7);
  expect(confirmed).toEqual([]);
  held.held(1, 'cell-a', 7);
  expect(confirmed).toEqual(['cell-a 7']);
});

test('where no worker is left nothing can be inside', () => {
  const { held, confirmed } = withWorkers();
  held.follow([CLOSING]);
  expect(confirmed).toEqual(['cell-a 5']);
});
