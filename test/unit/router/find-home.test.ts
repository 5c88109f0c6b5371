// Where a tenant is at home while generations and pins are not settled: by cut-overs on record, and by nothing else.
import { expect, test } from 'vitest';
import { findHome, type CutOvers } from '../../../router/find-home.ts';
import { tenantHomes } from '../../../router/health/verdicts/moved.ts';
import { initialRecord, type HealthRecord, type Moved } from '../../../router/health/record.ts';
import type { Course, Leg } from '../../../router/placement/courses.ts';
import type { Location } from '../../../router/placement/placement.ts';

const BUCKET = 700;

/** The location of a bucket whose owners these were: `1 cell-a, 2 cell-d` by the first generation, and by the second. */
function locationOf(legs: string, pin: { tenant: string; cell: string } | null = null): Location {
  const [first, ...more] = legs.split(', ').map((text): Leg => {
    const [generation, owner = ''] = text.split(' ');
    return { generation: Number(generation), owner };
  });
  if (first === undefined) throw new Error('no legs');
  const course: Course = [first, ...more];
  const owner = pin?.cell ?? course.at(-1)?.owner ?? null;
  const settled = pin === null && more.length === 0;
  return {
    bucket: BUCKET,
    home: first.owner,
    movingTo: owner === first.owner ? null : owner,
    pin: pin?.cell ?? null,
    unsettled: settled ? null : { course, tenant: pin?.tenant ?? null },
  };
}

const to = (cell: string, generation: number, buckets: [number, number] = [0, 1_023]): Moved => ({
  buckets,
  to: cell,
  generation,
});

function recordWith(home: string, moved: Moved[], more: Partial<HealthRecord> = {}): HealthRecord {
  return { ...initialRecord(home, null), epoch: 3, since: 1, moved, ...more };
}

function knowing(records: HealthRecord[], unknown: string[] = []): CutOvers {
  const known = new Map(records.map((record) => [record.home, record]));
  const homes = tenantHomes(records);
  return {
    recordOf: (home) => known.get(home) ?? initialRecord(home, null),
    knows: (home) => !unknown.includes(home),
    movedTenant: (tenant) => homes.get(tenant) ?? null,
    isOvertaken: () => false,
  };
}

const SILENT: CutOvers = {
  recordOf: (home) => {
    throw new Error(`the record of ${home} was asked for`);
  },
  knows: () => false,
  movedTenant: () => null,
  isOvertaken: () => false,
};

test('what is settled asks no record', () => {
  expect(findHome(locationOf('1 cell-a'), SILENT)).toMatchObject({ home: 'cell-a', movingTo: null });
});

test('what a later generation than the file has took away is refused, settled or not, and a pin is not', () => {
  const overtaken: CutOvers = {
    ...knowing([]),
    isOvertaken: (home, bucket) => `${home} ${bucket}` === 'cell-a 7',
  };
  for (const course of ['1 cell-a', '1 cell-a, 2 cell-d']) {
    const location = { ...locationOf(course), bucket: 7 };
    expect(findHome(location, overtaken)).toMatchObject({ refusal: 'placement-moving', home: 'cell-a' });
    expect(findHome({ ...location, bucket: 8 }, overtaken)).toMatchObject({ home: 'cell-a' });
  }
  const pinned = { ...locationOf('1 cell-a'), bucket: 7, pin: 'cell-a' };
  expect(findHome(pinned, overtaken)).toMatchObject({ home: 'cell-a', movingTo: null });
});

test('what is to move is at its old home until that is on record', () => {
  expect(findHome(locationOf('1 cell-a, 2 cell-d'), knowing([]))).toEqual({
    home: 'cell-a',
    movingTo: 'cell-d',
  });
});

test('what was cut over is at its new home', () => {
  const records = [recordWith('cell-a', [to('cell-d', 2)])];
  expect(findHome(locationOf('1 cell-a, 2 cell-d'), knowing(records))).toEqual({
    home: 'cell-d',
    movingTo: null,
  });
});

test.for<[string, Moved]>([
  ['does not hold the bucket', to('cell-d', 2, [0, 699])],
  ['is of another cell', to('cell-c', 2)],
  ['is of a generation before it was to move', to('cell-d', 1)],
])('an entry that %s does not count', ([, entry]) => {
  const found = findHome(locationOf('1 cell-a, 2 cell-d'), knowing([recordWith('cell-a', [entry])]));
  expect(found).toMatchObject({ home: 'cell-a' });
});

test('an entry of a generation that a settled one has overtaken does not count', () => {
  const records = [recordWith('cell-a', [to('cell-d', 2)])];
  expect(findHome(locationOf('3 cell-a, 4 cell-d'), knowing(records))).toMatchObject({ home: 'cell-a' });
});

test('an entry in the record of a cell that never had the bucket does not count', () => {
  const records = [recordWith('cell-c', [to('cell-d', 2)])];
  expect(findHome(locationOf('1 cell-a, 2 cell-d'), knowing(records))).toMatchObject({ home: 'cell-a' });
});

test('of several unsettled generations each may be cut over by itself, or several at once', () => {
  const location = locationOf('1 cell-a, 2 cell-b, 3 cell-c');
  const step = recordWith('cell-a', [to('cell-b', 2)]);
  expect(findHome(location, knowing([step]))).toEqual({ home: 'cell-b', movingTo: 'cell-c' });
  const both = [step, recordWith('cell-b', [to('cell-c', 3)])];
  expect(findHome(location, knowing(both))).toEqual({ home: 'cell-c', movingTo: null });
  const atOnce = [recordWith('cell-a', [to('cell-c', 3)])];
  expect(findHome(location, knowing(atOnce))).toEqual({ home: 'cell-c', movingTo: null });
});

test('what came back is at the home that it came back to, whatever moved away before', () => {
  const location = locationOf('1 cell-a, 2 cell-b, 3 cell-a');
  const away = recordWith('cell-a', [to('cell-b', 2)]);
  expect(findHome(location, knowing([away]))).toEqual({ home: 'cell-b', movingTo: 'cell-a' });
  const back = [away, recordWith('cell-b', [to('cell-a', 3)])];
  expect(findHome(location, knowing(back))).toEqual({ home: 'cell-a', movingTo: null });
});

test('what came back before it was moved has nowhere to go', () => {
  const location = locationOf('1 cell-a, 2 cell-b, 3 cell-a');
  expect(findHome(location, knowing([]))).toEqual({ home: 'cell-a', movingTo: null });
});

test('while a cut-over is closing the old home has it', () => {
  const location = locationOf('1 cell-a, 2 cell-d');
  const { state, target, operation, deadline, cause, pins } = initialRecord('cell-a', null);
  const from = { state, target, operation, deadline, cause, pins, moved: [] };
  const closing: Partial<HealthRecord> = {
    phase: 'closing',
    changing: { tenants: [], buckets: [[0, 1_023]] },
    handover: { until: 9, actor: 'anna', reason: 'new cell', to: 'cell-d', from },
  };
  const record = recordWith('cell-a', [to('cell-d', 2)], closing);
  expect(findHome(location, knowing([record]))).toMatchObject({ home: 'cell-a' });
  const shown = { ...record, handover: null };
  expect(findHome(location, knowing([shown]))).toMatchObject({ home: 'cell-a' });
});

test('nobody is sent anywhere where it is not known whether the bucket was cut over', () => {
  const location = locationOf('1 cell-a, 2 cell-b, 3 cell-c');
  expect(findHome(location, knowing([], ['cell-a']))).toMatchObject({
    refusal: 'placement-moving',
    home: 'cell-a',
    reason: 'nobody can tell whether it was moved from cell-a',
  });
  const step = recordWith('cell-a', [to('cell-b', 2)]);
  expect(findHome(location, knowing([step], ['cell-b']))).toMatchObject({ refusal: 'placement-moving' });
});

test('what is at the end of its way asks nobody who is not known', () => {
  const records = [recordWith('cell-a', [to('cell-d', 2)])];
  const found = findHome(locationOf('1 cell-a, 2 cell-d'), knowing(records, ['cell-d']));
  expect(found).toMatchObject({ home: 'cell-d' });
});

const PIN = { tenant: 'acme', cell: 'cell-c' };

test('a tenant whose pin is not settled stays where its bucket is', () => {
  expect(findHome(locationOf('1 cell-a', PIN), knowing([]))).toEqual({ home: 'cell-a', movingTo: 'cell-c' });
  const moved = [recordWith('cell-a', [to('cell-d', 2)])];
  expect(findHome(locationOf('1 cell-a, 2 cell-d', PIN), knowing(moved))).toEqual({
    home: 'cell-d',
    movingTo: 'cell-c',
  });
});

test('once it was cut over it stays, wherever its bucket goes', () => {
  const records = [recordWith('cell-a', [{ tenant: 'acme', to: 'cell-c' }, to('cell-d', 2)])];
  for (const legs of ['1 cell-a, 2 cell-d', '2 cell-d', '2 cell-d, 3 cell-b']) {
    expect(findHome(locationOf(legs, PIN), knowing(records))).toEqual({ home: 'cell-c', movingTo: null });
  }
});

test('a pin that changes takes the tenant on from where it is', () => {
  const first = recordWith('cell-a', [{ tenant: 'acme', to: 'cell-c' }]);
  const location = locationOf('1 cell-a', { tenant: 'acme', cell: 'cell-d' });
  expect(findHome(location, knowing([first]))).toEqual({ home: 'cell-c', movingTo: 'cell-d' });
  const both = [first, recordWith('cell-c', [{ tenant: 'acme', to: 'cell-d' }])];
  expect(findHome(location, knowing(both))).toEqual({ home: 'cell-d', movingTo: null });
});

test('a pin to the home itself asks all the same: the tenant may be elsewhere', () => {
  const location = locationOf('1 cell-a', { tenant: 'acme', cell: 'cell-a' });
  const records = [recordWith('cell-a', [{ tenant: 'acme', to: 'cell-c' }])];
  expect(findHome(location, knowing(records))).toEqual({ home: 'cell-c', movingTo: 'cell-a' });
  expect(findHome(location, knowing([]))).toEqual({ home: 'cell-a', movingTo: null });
});

test('of a way that seems to close up, because one of its records is not known yet, the newest step counts', () => {
  const location = locationOf('1 cell-a', { tenant: 'acme', cell: 'cell-a' });
  const records = [
    recordWith('cell-a', [{ tenant: 'acme', to: 'cell-c' }], { since: 10 }),
    recordWith('cell-c', [{ tenant: 'acme', to: 'cell-a' }], { since: 20 }),
  ];
  expect(findHome(location, knowing(records))).toEqual({ home: 'cell-a', movingTo: null });
});

test('a pinned tenant is refused while nothing is known of its home', () => {
  expect(findHome(locationOf('1 cell-a', PIN), knowing([], ['cell-a']))).toMatchObject({
    refusal: 'placement-moving',
  });
});
