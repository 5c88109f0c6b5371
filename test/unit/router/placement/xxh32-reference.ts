// A second XXH32, written from the specification alone, to hold the real one against.

const PRIMES = { one: 0x9e3779b1, two: 0x85ebca77, three: 0xc2b2ae3d, four: 0x27d4eb2f, five: 0x165667b1 };

/** XXH32 of bytes; source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
export function xxh32Reference(bytes: Buffer, seed: number): number {
  let at = 0;
  let hash: number;
  if (bytes.length >= 16) {
    const lanes = [seed + PRIMES.one + PRIMES.two, seed + PRIMES.two, seed, seed - PRIMES.one];
    for (; at + 16 <= bytes.length; at += 16) {
      for (const [lane, value] of lanes.entries()) {
        lanes[lane] = round(value, bytes.readUInt32LE(at + 4 * lane));
      }
    }
    hash = lanes.map((value, lane) => rotate(value, [1, 7, 12, 18][lane] ?? 0)).reduce((a, b) => a + b);
  } else {
    hash = seed + PRIMES.five;
  }
  hash = (hash + bytes.length) | 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = Math.imul(rotate(hash + Math.imul(bytes.readUInt32LE(at), PRIMES.three), 17), PRIMES.four);
  }
  for (const byte of bytes.subarray(at)) {
    hash = Math.imul(rotate(hash + Math.imul(byte, PRIMES.five), 11), PRIMES.one);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIMES.two);
  hash = Math.imul(hash ^ (hash >>> 13), PRIMES.three);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(lane: number, input: number): number {
  return Math.imul(rotate(lane + Math.imul(input, PRIMES.two), 13), PRIMES.one);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | ((value | 0) >>> (32 - bits));
}
