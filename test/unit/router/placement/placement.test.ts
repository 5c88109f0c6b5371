// The placement as the router asks it: tenants, pins, moves that are outstanding, cells that left.
import { expect, test } from 'vitest';
import { bucketOf, BUCKETS } from '../../../../router/placement/hash.ts';
import { buildPlacement, type PlacementInput } from '../../../../router/placement/placement.ts';

const FIRST = { add: ['cell-a', 'cell-b', 'cell-c'] };
const NAMES = ['cell-a', 'cell-b', 'cell-c', 'cell-d'];

function place({ generations = [FIRST], pins = new Map() }: Partial<PlacementInput> = {}) {
  const cells = new Map(NAMES.map((cell) => [cell, { zone: null, weight: 1, neighbour: null }]));
  return buildPlacement({ cells, generations, pins, allowSharedNeighbour: false });
}

/** A tenant for which `wanted` holds. */
function tenantWhere(wanted: (tenant: string) => boolean): string {
  const tenant = Array.from({ length: 10_000 }, (_, index) => `tenant-${index}`).find(wanted);
  if (tenant === undefined) throw new Error('none of 10,000 tenants will do');
  return tenant;
}

test('a tenant lives where its bucket lives', () => {
  const placement = place();
  expect(placement.locate('acme')).toEqual(placement.locateBucket(bucketOf('acme')));
});

test('the homes of all buckets add up, and are the cells', () => {
  const placement = place();
  expect(placement.cells).toEqual(FIRST.add);
  expect(placement.cells.map((cell) => placement.bucketsOf(cell))).toEqual([21_846, 21_845, 21_845]);
});

test('a cell that is none has no buckets and no neighbour', () => {
  const placement = place();
  expect([placement.bucketsOf('cell-d'), placement.neighbourOf('cell-d')]).toEqual([0, null]);
});

test.for([-1, BUCKETS, 0.5, Number.NaN])('bucket %d is refused', (bucket) => {
  expect(() => place().locateBucket(bucket)).toThrow(RangeError);
});

test('a new cell has no tenants before the cut-over, and they know where they are to move', () => {
  const [before, after] = [place(), place({ generations: [FIRST, { add: ['cell-d'] }] })];
  const tenant = tenantWhere((tenant) => after.locate(tenant).movingTo !== null);
  const { home } = before.locate(tenant);
  const course = [
    { generation: 1, owner: home },
    { generation: 2, owner: 'cell-d' },
  ];
  expect(after.locate(tenant)).toEqual({
    ...before.locate(tenant),
    movingTo: 'cell-d',
    unsettled: { course, tenant: null },
  });
  expect([after.bucketsOf('cell-d'), after.cells.length]).toEqual([0, 4]);
});

test('a settled generation leaves nothing to move', () => {
  const after = place({ generations: [FIRST, { add: ['cell-d'], settled: true }] });
  expect(after.bucketsOf('cell-d')).toBe(BUCKETS / 4);
  const unsettled = Array.from({ length: BUCKETS }, (_, bucket) => after.locateBucket(bucket).unsettled);
  expect(unsettled.filter((one) => one !== null)).toEqual([]);
  expect(after.unsettledBuckets).toEqual([]);
});

test('a bucket that comes back to its home has nowhere to go, but may have been away meanwhile', () => {
  const history = [FIRST, { add: ['cell-d'] }, { remove: ['cell-d'] }];
  const [before, during, after] = history.map((_, index) =>
    place({ generations: history.slice(0, index + 1) }),
  );
  const tenant = tenantWhere((tenant) => {
    const back = before?.locate(tenant).home === after?.locate(tenant).home;
    return during?.locate(tenant).movingTo === 'cell-d' && back && after?.locate(tenant).movingTo === null;
  });
  const home = before?.locate(tenant).home;
  expect(after?.locate(tenant)).toMatchObject({ home, movingTo: null });
  expect(after?.locate(tenant).unsettled?.course.map(({ owner }) => owner)).toEqual([home, 'cell-d', home]);
});

test('a removed cell stays until its buckets are cut over, and keeps its neighbour', () => {
  const after = place({ generations: [FIRST, { remove: ['cell-b'] }] });
  expect(after.cells).toEqual(['cell-a', 'cell-b', 'cell-c']);
  expect([after.bucketsOf('cell-b'), after.neighbourOf('cell-b')]).toEqual([21_845, 'cell-c']);
});

test('a cell that came and went stays while buckets may be there', () => {
  const history = [FIRST, { add: ['cell-d'] }, { remove: ['cell-d'] }];
  expect(place({ generations: history }).cells).toEqual(NAMES);
  const settled = history.map((generation) => ({ ...generation, settled: true }));
  expect(place({ generations: settled }).cells).toEqual(FIRST.add);
});

test('a removed cell is gone once its buckets are cut over', () => {
  const after = place({ generations: [FIRST, { remove: ['cell-b'], settled: true }] });
  expect(after.cells).toEqual(['cell-a', 'cell-c']);
  expect(after.neighbourOf('cell-b')).toBeNull();
});

test('a settled pin beats the bucket', () => {
  const unpinned = place();
  const tenant = tenantWhere((tenant) => unpinned.locate(tenant).home === 'cell-a');
  const placement = place({ pins: new Map([[tenant, { cell: 'cell-c', settled: true }]]) });
  const bucket = bucketOf(tenant);
  expect(placement.locate(tenant)).toEqual({
    bucket,
    home: 'cell-c',
    movingTo: null,
    pin: 'cell-c',
    unsettled: null,
  });
});

test('an unsettled pin leaves the tenant at its home, on its way to the pin', () => {
  const unpinned = place();
  const tenant = tenantWhere((tenant) => unpinned.locate(tenant).home === 'cell-a');
  const placement = place({ pins: new Map([[tenant, { cell: 'cell-c', settled: false }]]) });
  const bucket = bucketOf(tenant);
  expect(placement.locate(tenant)).toMatchObject({
    bucket,
    home: 'cell-a',
    movingTo: 'cell-c',
    pin: 'cell-c',
    unsettled: { tenant },
  });
});

test('a pin to the home itself leaves nothing to move, even while the bucket is to move', () => {
  const generations = [FIRST, { add: ['cell-d'] }];
  const unpinned = place({ generations });
  const tenant = tenantWhere((tenant) => unpinned.locate(tenant).movingTo !== null);
  const { home } = unpinned.locate(tenant);
  const placement = place({ generations, pins: new Map([[tenant, { cell: home, settled: false }]]) });
  expect(placement.locate(tenant)).toMatchObject({ home, movingTo: null, pin: home });
});

test('a pin moves its own tenant alone', () => {
  const placement = place({ pins: new Map([['acme', { cell: 'cell-c', settled: true }]]) });
  const bucket = bucketOf('acme');
  expect(placement.locateBucket(bucket)).toEqual(place().locateBucket(bucket));
  expect(placement.locate('Acme').pin).toBeNull();
});
