// Files that are no fleet at all, or that try to be more than a file: always a fault, never a crash or a hang.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf, PAIR_TEXT } from './fleets.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'.split('');

/** What fleet files are made of, and what YAML gives a meaning. */
const SCRAPS = [
  'cells:',
  'cell-a:',
  'pins:',
  '- ',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '&a ',
  '*a',
  '\n',
  '\n  ',
  '"',
  "'",
  '|',
  '>',
  'origin: "http://h:1"',
  'generations:',
  'add: [cell-a]',
  '? ',
  '!!',
  '%',
  '#',
  '---',
  '\t',
  '<<',
  '__proto__',
];

/** Each level repeats the one below it `width` times. */
function bomb(width: number, indent: string): string {
  const levels = LETTERS.slice(1).map((name, i) => {
    const below = Array(width).fill(`*${LETTERS[i]}`).join(', ');
    return `${indent}${name}: &${name} [${below}]`;
  });
  return [`${indent}a: &a [${Array(width).fill('x').join(', ')}]`, ...levels, ''].join('\n');
}

test.each([
  ['an empty file', ''],
  ['nothing but a comment', '# later\n'],
  ['a list', '- cell-a\n- cell-b\n'],
  ['a word', 'hello'],
  ['a number', '42'],
  ['null', '~'],
  ['control characters', '\0\u0001\u0002'],
])('%s is no fleet', (_, text) => {
  expect(linesOf(text)).toEqual([
    expect.stringMatching(/^not a mapping \(allowed: a mapping with tenant, .+\)$/),
  ]);
});

test.each([
  ['an open brace', '{{{'],
  ['an open quote', 'cells: "abc\n'],
  ['tabs', 'cells:\n\tcell-a: x\n'],
  ['two documents', `${PAIR_TEXT}---\n${PAIR_TEXT}`],
  ['an unknown tag', `${PAIR_TEXT}\npins: { acme: !secret cell-a }\n`],
  ['a binary value', `${PAIR_TEXT}\npins: { acme: !!binary aGVsbG8= }\n`],
  ['an alias without an anchor', `${PAIR_TEXT}\npins: { acme: *nobody }\n`],
  ['a pin of an alias without an anchor', `${PAIR_TEXT}\npins: { *nobody : cell-a }\n`],
  ['an anchor that is its own alias', `pins: &p *p\n${PAIR_TEXT}`],
  ['thousands of brackets', '['.repeat(20_000)],
  ['thousands of mappings', `${PAIR_TEXT}\nx: ${'{a: '.repeat(5_000)}1${'}'.repeat(5_000)}\n`],
])('%s is told as what it is, with what is allowed', (_, text) => {
  const lines = linesOf(text);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/^[^\n]+ \(allowed: one YAML 1\.2 document\)$/);
});

test.each([
  ['no cells', 'generations: [{ add: [cell-a] }]\n', ['cells']],
  ['a list of cells', 'cells: []\ngenerations: [{ add: [cell-a] }]\n', ['cells']],
  ['no generations', PAIR_TEXT.slice(0, PAIR_TEXT.indexOf('generations')), ['generations']],
  [
    'an empty history',
    `${PAIR_TEXT.slice(0, PAIR_TEXT.indexOf('generations'))}generations: []\n`,
    ['generations'],
  ],
  ['sections without content', `${PAIR_TEXT}\ntenant:\nroutes:\n`, ['tenant', 'routes']],
])('%s: told at its place', (_, text, places) => {
  expect(linesOf(text).map((line) => line.split(': ')[0])).toEqual(places);
});

test('no cell at all is told at the generation that has none to add', () => {
  expect(linesOf('cells: {}\ngenerations: [{ add: [cell-a] }]\n')).toEqual([
    'generations.0.add.0: cell-a is not declared (allowed: a cell declared under cells)',
  ]);
});

test('a mapping that holds itself is a fault of its content', () => {
  expect(linesOf('cells: &a\n  cell-a: *a\ngenerations: [{ add: [cell-a] }]\n').join()).toContain(
    'cells.cell-a',
  );
  expect(linesOf(`${PAIR_TEXT}\npins: &p\n  acme: *p\n`).join()).toContain('pins.acme');
});

test.each([
  ['beside the cells', `${bomb(9, '')}${PAIR_TEXT}`],
  ['among the pins', `${PAIR_TEXT}\npins:\n${bomb(9, '  ')}`],
  ['in a tag', PAIR_TEXT.replace('4101', `4101\n    tags:\n${bomb(9, '      ')}`)],
])('an exploding file is refused: %s', (_, text) => {
  expect(linesOf(text)).toEqual([expect.stringContaining('Excessive alias count')]);
});

test('a merge key is an unknown key: nothing is taken over in silence', () => {
  const text = PAIR_TEXT.replace('cell-a:', 'cell-a: &a').replace('cell-b:', 'cell-b:\n    <<: *a');
  expect(linesOf(text)).toEqual([expect.stringMatching(/^cells\.cell-b\.<<: unknown key/)]);
});

test('a key that is no text is told, among the pins too', () => {
  expect(linesOf(`${PAIR_TEXT}\npins: { { a: 1 }: cell-a }\n`)).toEqual([
    'pins.{"a":1}: not a plain key (allowed: text)',
  ]);
});

test('a value of five megabytes is not repeated', () => {
  const [line = ''] = linesOf(PAIR_TEXT.replace('4101', `4101\n    zone: ${'x'.repeat(5_000_000)}`));
  expect(line).toBe('cells.cell-a.zone: too long (allowed: 1–63 characters)');
});

test('whatever the text, it is a fleet or it has faults of one line each', () => {
  const text = fc.array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...SCRAPS) }, fc.string()), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(text, (parts) => {
      for (const line of linesOf(parts.join(''))) expect(line).not.toMatch(/[\n\r]/);
    }),
    { numRuns: 2_000 },
  );
});
