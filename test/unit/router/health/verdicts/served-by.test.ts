// Who serves a tenant by a record.
import { expect, test } from 'vitest';
import { closing, opened } from '../../../../../router/health/verdicts/handover.ts';
import { initialRecord, type HealthRecord } from '../../../../../router/health/record.ts';
import {
  losersAndGainers,
  servedBy,
  SLOTS,
  slotOf,
} from '../../../../../router/health/verdicts/served-by.ts';
import { bucketOf } from '../../../../../router/placement/hash.ts';
import { awayRecord } from '../../../../support/machine.ts';

const NOW = 100_000;
const TERMS = { until: NOW + 2_000, actor: 'ada', reason: 'test', to: null };
const HOME = initialRecord('cell-a', 'cell-b');
const TENANTS = Array.from({ length: 5_000 }, (_, i) => `tenant-${i}`);
const until = 9_000_000_000_000;

function shareOf(record: HealthRecord, cell: string | null): number {
  return TENANTS.filter((tenant) => servedBy(record, tenant) === cell).length / TENANTS.length;
}

const at = (record: HealthRecord, share: number): HealthRecord =>
  opened(closing(record, { share }, null, TERMS, NOW), NOW);

test('nobody away: the home serves; all away: the neighbour', () => {
  expect(servedBy(HOME, 'acme')).toBe('cell-a');
  expect(servedBy(awayRecord('cell-a', 'cell-b', 2), 'acme')).toBe('cell-b');
});

test('a share sends that part of the tenants away, to within a percent', () => {
  expect(shareOf(at(HOME, 30), 'cell-b')).toBeCloseTo(0.3, 1);
});

test('those that are away at 10 % are among those that are away at 30 %', () => {
  const [tenth, third] = [at(HOME, 10), at(at(HOME, 10), 30)];
  const away = TENANTS.filter((tenant) => servedBy(tenth, tenant) === 'cell-b');
  expect(away.length).toBeGreaterThan(0);
  expect(away.every((tenant) => servedBy(third, tenant) === 'cell-b')).toBe(true);
});

test('in closing those that change have no cell, and the others keep theirs', () => {
  const from = at(HOME, 10);
  const record = closing(from, { share: 30 }, null, TERMS, NOW);
  for (const tenant of TENANTS) {
    const changes = servedBy(from, tenant) !== servedBy(opened(record, NOW), tenant);
    expect(servedBy(record, tenant)).toBe(changes ? null : servedBy(from, tenant));
  }
  expect(shareOf(record, null)).toBeCloseTo(0.2, 1);
});

test('slots are spread evenly, and dealt anew for each operation', () => {
  const slots = TENANTS.map((tenant) => slotOf(tenant, 7));
  expect(Math.min(...slots)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...slots)).toBeLessThan(SLOTS);
  expect(slotOf('acme', 7)).not.toBe(slotOf('acme', 8));
  expect(slotOf('acme', 2 ** 32 + 7)).toBe(slotOf('acme', 7));
});

test('a pin beats the share, but not when all are away', () => {
  const pins = { acme: { cell: 'cell-b', until }, bolt: { cell: 'cell-a', until } };
  expect(servedBy({ ...HOME, pins }, 'acme')).toBe('cell-b');
  expect(servedBy({ ...at(HOME, 99), pins }, 'bolt')).toBe('cell-a');
  expect(servedBy({ ...awayRecord('cell-a', 'cell-b', 2), pins }, 'bolt')).toBe('cell-b');
});

test('a tenant that is named like a property of every object has no pin by that', () => {
  const pins = { acme: { cell: 'cell-b', until } };
  expect(servedBy({ ...HOME, pins }, 'constructor')).toBe('cell-a');
});

test('a tenant whose pin changes has no cell meanwhile, the others do', () => {
  const changing = { tenants: ['acme'], buckets: [] };
  const record = closing(HOME, { pins: { acme: { cell: 'cell-b', until } } }, changing, TERMS, NOW);
  expect([servedBy(record, 'acme'), servedBy(record, 'bolt')]).toEqual([null, 'cell-a']);
  expect(losersAndGainers(record)).toEqual({ losers: ['cell-a'], gainers: ['cell-b'] });
});

test('a tenant whose bucket is cut over has no cell meanwhile, the others do', () => {
  const bucket = bucketOf('acme');
  const buckets: [number, number][] = [[bucket, bucket]];
  const moved = [{ buckets: [bucket, bucket] as [number, number], to: 'cell-d', generation: 2 }];
  const record = closing(HOME, { moved }, { tenants: [], buckets }, { ...TERMS, to: 'cell-d' }, NOW);
  expect([servedBy(record, 'acme'), servedBy(record, 'bolt')]).toEqual([null, 'cell-a']);
  expect(losersAndGainers(record)).toEqual({ losers: ['cell-a'], gainers: [] });
});

test('a share that grows is lost by the home, one that shrinks by the neighbour', () => {
  expect(losersAndGainers(closing(HOME, { share: 10 }, null, TERMS, NOW))).toEqual({
    losers: ['cell-a'],
    gainers: ['cell-b'],
  });
  const back = closing(awayRecord('cell-a', 'cell-b', 2), { share: 90 }, null, TERMS, NOW);
  expect(losersAndGainers(back)).toEqual({ losers: ['cell-b'], gainers: ['cell-a'] });
});
