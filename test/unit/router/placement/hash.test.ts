// XXH32 against its published vectors, and the bucket against an independent XXH32 of the UTF-8 bytes.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketOf, BUCKETS, xxh32 } from '../../../../router/placement/hash.ts';
import { xxh32Reference } from './xxh32-reference.ts';

/** The seed of xxHash's own sanity checks. */
const PRIME = 2_654_435_761;

const PUBLISHED: [text: string, seed: number, hash: number][] = [
  ['', 0, 0x02cc5d05],
  ['', PRIME, 0x36b78ae7],
  ['a', 0, 0x550d7456],
  ['abc', 0, 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0, 0xe2293b2f],
  ['I want an unsigned 32-bit seed!', 0, 0xf7a35af8],
  ['I want an unsigned 32-bit seed!', 1, 0xd8d4b4ba],
];

/** The byte sequence of xxHash's sanity checks: the top byte of a number that is squared again and again. */
function sanityBytes(length: number): Buffer {
  let generator = PRIME;
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1) {
    bytes[index] = generator >>> 24;
    generator = Math.imul(generator, generator) >>> 0;
  }
  return bytes;
}

test.for(PUBLISHED)('XXH32 of "%s" with seed %i is the published %i', ([text, seed, hash]) => {
  expect(xxh32(text, seed)).toBe(hash);
});

test('the reference used below agrees with the published vectors over bytes', () => {
  expect([1, 14, 101].map((length) => xxh32Reference(sanityBytes(length), 0))).toEqual([
    0xb85cbee5, 0xe5aa0ab4, 0x1f1aa412,
  ]);
  expect([1, 14, 101].map((length) => xxh32Reference(sanityBytes(length), PRIME))).toEqual([
    0xd5845d64, 0x4481951d, 0x498ec8e2,
  ]);
});

test.for([
  'müller',
  'naïve-café',
  '東京',
  '🦉',
  'ß',
  'a\u0301',
  '\u{10FFFF}',
  'Ωmega-тест-中文-🏳️‍🌈',
  '\ud800',
])('the bucket of the non-ASCII tenant "%s" is that of its UTF-8 bytes', (tenant) => {
  expect(bucketOf(tenant)).toBe(xxh32Reference(Buffer.from(tenant, 'utf8'), 0) & 0xffff);
});

test('any text with any seed hashes as the reference does', () => {
  const seeds = fc.integer({ min: 0, max: 0xffff_ffff });
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 200 }), seeds, (text, seed) => {
    expect(xxh32(text, seed)).toBe(xxh32Reference(Buffer.from(text, 'utf8'), seed));
  });
  fc.assert(property, { numRuns: 5_000 });
});

test('every bucket is between 0 and 65,535', () => {
  const property = fc.property(fc.string(), (tenant) => {
    const bucket = bucketOf(tenant);
    expect(Number.isInteger(bucket) && bucket >= 0 && bucket < BUCKETS).toBe(true);
  });
  fc.assert(property);
});
