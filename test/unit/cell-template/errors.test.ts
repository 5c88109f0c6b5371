// Refusals: the docs name them all, and which faults of the database mean that it is to be tried again.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { REFUSALS } from '../../../cell-template/errors.ts';
import { isUnavailable } from '../../../cell-template/unavailable.ts';

test('the docs name every refusal with its status, and no other', async () => {
  const docs = await readFile(join(import.meta.dirname, '../../../docs/cell.md'), 'utf8');
  const rows = docs.matchAll(/^\| (\d{3}(?:, \d{3})*) \| (`[a-z0-9`, -]+) \|/gm);
  const documented = [...rows].flatMap(([, statuses = '', codes = '']) => {
    const status = statuses.split(', ').map(Number);
    return codes.split(', ').map((code, n) => `${status[n] ?? status[0]} ${code.replaceAll('`', '')}`);
  });
  const known = Object.entries(REFUSALS).map(([code, { status }]) => `${status} ${code}`);
  expect(documented.sort()).toEqual(known.sort());
});

function databaseError(code: string): DatabaseError {
  const error = new DatabaseError('as PostgreSQL said', 0, 'error');
  error.code = code;
  return error;
}

test.each(['57014', '57P01', '53300', '08006', '40P01', '55P03', '25006'])(
  'SQLSTATE %s means not now',
  (code) => {
    expect(isUnavailable(databaseError(code))).toBe(true);
  },
);

test.each(['23505', '42501', '22P02', 'P0001', 'CG421'])('SQLSTATE %s does not', (code) => {
  expect(isUnavailable(databaseError(code))).toBe(false);
});

test('what the driver throws by itself means not now', () => {
  expect(isUnavailable(new Error('Connection terminated unexpectedly'))).toBe(true);
});
