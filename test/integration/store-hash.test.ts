// The scripts deal the slots of an operation by a hash of their own: it is that of placement.
import { createHash } from 'node:crypto';
import { array, assert, asyncProperty, constantFrom, integer, oneof, string, tuple } from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { redisCalls, script } from '../../router/health/redis/redis-calls.ts';
import { parseRedisUrl } from '../../router/health/redis/redis-url.ts';
import { xxh32 } from '../../router/placement/hash.ts';
import { startRedis } from '../support/redis.ts';

/** Answers the hash of each pair of a text and a seed. */
const TEXT = `${script('hash').text}
local sums = {}
for i = 1, #ARGV, 2 do sums[#sums + 1] = string.format('%.0f', xxh32(ARGV[i], tonumber(ARGV[i + 1]))) end
return sums`;
const HASHES = { sha: createHash('sha1').update(TEXT).digest('hex'), text: TEXT };

const seeds = oneof(constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1), integer({ min: 0, max: 2 ** 32 - 1 }));
const texts = string({ unit: 'grapheme', maxLength: 70 });

test('the hash of the scripts is XXH32, whatever the text and the seed', async () => {
  const redis = await startRedis();
  onTestFinished(async () => await redis.stop());
  const calls = redisCalls(parseRedisUrl(redis.url), 5_000, () => {});
  onTestFinished(() => calls.close());
  await assert(
    asyncProperty(array(tuple(texts, seeds), { minLength: 1, maxLength: 40 }), async (pairs) => {
      const sums = await calls.run(
        HASHES,
        [],
        pairs.flatMap(([text, seed]) => [text, String(seed)]),
      );
      expect(sums).toEqual(pairs.map(([text, seed]) => String(xxh32(text, seed))));
    }),
  );
});
