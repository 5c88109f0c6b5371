// The one hash of placement: XXH32, and the bucket that a tenant falls into.
import xxhash from 'xxhash-wasm';

/** Fixed hash slots that a fleet's tenants fall into: enough for 1,000 cells to balance within 1 %. */
export const BUCKETS = 65_536;

const hasher = await xxhash();

/**
 * XXH32 of the UTF-8 bytes of `text`, as an unsigned 32-bit number; a lone surrogate counts as U+FFFD.
 * Source: the xxHash specification, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
export function xxh32(text: string, seed: number): number {
  return hasher.h32(text, seed);
}

/**
 * The bucket (0–65,535) of a tenant: the low 16 bits of XXH32 with seed 0, so that any other proxy or language can
 * compute it too (HAProxy: `xxh32,and(65535)`).
 */
export function bucketOf(tenant: string): number {
  return hasher.h32(tenant, 0) & 0xffff;
}
