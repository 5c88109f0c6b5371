// What field names mean, remembered for as many as there is room for.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { NameKinds, NameLengths } from '../../../../router/forward/name-kinds.ts';

/** Kinds whose judgements are counted. */
function counted(): { kinds: NameKinds<'own' | 'other'>; judged: string[] } {
  const judged: string[] = [];
  const kinds = new NameKinds<'own' | 'other'>(
    'other',
    (name) => name !== 'Unlike',
    (name) => {
      judged.push(name);
      return name.startsWith('x-own') ? 'own' : 'other';
    },
  );
  return { kinds, judged };
}

test('a name means the same in any case, and is judged once for each', () => {
  const { kinds, judged } = counted();
  for (const name of ['X-Own-A', 'x-own-a', 'X-Own-A', 'Accept', 'Accept']) {
    expect(kinds.of(name)).toBe(name === 'Accept' ? 'other' : 'own');
  }
  expect(judged).toEqual(['x-own-a', 'x-own-a', 'accept']);
});

test('a name that can not matter is not even judged', () => {
  const { kinds, judged } = counted();
  expect([kinds.of('Unlike'), judged]).toEqual(['other', []]);
});

test('lengths tell names apart that are of none of them', () => {
  const lengths = new NameLengths(['te', 'upgrade']);
  expect(['TE', 'Upgrade', 'xx', 'accept', '', 'x'.repeat(1_000)].map((name) => lengths.has(name))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('names of the language’s own objects are names like any other', () => {
  const { kinds } = counted();
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty', '']) {
    expect([kinds.of(name), kinds.of(name)]).toEqual(['other', 'other']);
  }
});

test('a name that is too long to be remembered is judged each time', () => {
  const { kinds, judged } = counted();
  const long = `x-own-${'a'.repeat(60)}`;
  expect([kinds.of(long), kinds.of(long), judged.length]).toEqual(['own', 'own', 2]);
});

test('however many names there were, those that come again and again are remembered', () => {
  const { kinds, judged } = counted();
  for (let i = 0; i < 10_000; i += 1) kinds.of(`invented-${i}`);
  judged.length = 0;
  for (let i = 0; i < 100; i += 1) kinds.of('Accept');
  expect(judged).toEqual(['accept']);
});

test('invented names take no more memory than the names that there is room for', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { kinds } = counted();
  const heapUsed = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heapUsed();
  for (let i = 0; i < 2_000; i += 1) {
    // As the reader of a head cuts names out of it: they would hold on to all of it.
    const head = Buffer.alloc(65_536, `Invented-By-A-Cell-${i}: `).toString('latin1');
    kinds.of(head.slice(0, head.indexOf(':')));
  }
  expect(heapUsed() - before).toBeLessThan(4 * 1_048_576);
  expect(kinds.of('X-Own')).toBe('own');
});
