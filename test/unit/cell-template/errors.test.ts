// Refusals: the docs name them all, and faults of the database and of the rule come out as what they are.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { REFUSALS } from '../../../cell-template/errors.ts';
import { isUnavailable } from '../../../cell-template/unavailable.ts';
import { bareApp } from '../../support/bare-app.ts';

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

test('a home of which the cell has no database is not its own: 421, and nothing was done', async () => {
  const app = await bareApp();
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const answer = await fetch(`${url}/orders`, { headers: { 'x-tenant-id': 'acme' } });
  expect(answer.status).toBe(421);
  expect(await answer.json()).toMatchObject({ code: 'not-its-own' });
  await app.close();
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
