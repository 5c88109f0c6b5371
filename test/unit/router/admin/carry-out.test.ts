// What an operator is told when the store decides nothing: which of its troubles it is, and what to do.
import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { storeUnavailable } from '../../../../router/admin/carry-out.ts';
import { StoreUnavailable } from '../../../../router/health/store.ts';

async function answerTo(error: Error): Promise<{ status: number; code: string; title: string }> {
  const server = fastify();
  server.get('/', (_, reply) => storeUnavailable(reply, error));
  const answer = await server.inject('/');
  await server.close();
  return answer.json();
}

test.each([
  ['silent', /^The store of the verdicts does not answer: Redis refused: OOM\.$/],
  ['behind', /^The store of the verdicts lost records, .* Ask again in a few seconds\.$/],
  ['passive', /^The store of the verdicts is led by a newer release: ask a router of that release\.$/],
  ['untold', /^Nobody told in time how the handover ended\. .* look at the cell before you ask again\.$/],
] as const)('a store that is %s is told as what it is', async (trouble, title) => {
  expect(await answerTo(new StoreUnavailable('Redis refused: OOM', trouble))).toMatchObject({
    status: 503,
    code: 'store-unavailable',
    title: expect.stringMatching(title) as string,
  });
});

test('what is not of the store is not told as such', async () => {
  expect(await answerTo(new Error('a fault of our own'))).toMatchObject({ statusCode: 500 });
});
