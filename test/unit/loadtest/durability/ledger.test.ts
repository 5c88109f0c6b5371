// Versions of orders, as their ETags say them.
import { assert, nat, property } from 'fast-check';
import { expect, test } from 'vitest';
import { compareVersions, etagOf, versionIn } from '../../../../loadtest/durability/ledger.ts';

test('an ETag says the epoch and the version, and comes back as it was', () => {
  expect(versionIn('"3.7"')).toEqual({ epoch: 3, version: 7 });
  assert(
    property(nat(), nat(), (epoch, version) => {
      expect(versionIn(etagOf({ epoch, version }))).toEqual({ epoch, version });
    }),
  );
});

test.each(['3.7', 'W/"3.7"', '"7"', undefined])('%s is no ETag of an order', (etag) => {
  expect(() => versionIn(etag)).toThrow('not an ETag of an order');
});

test('the epoch counts before the version', () => {
  expect(compareVersions({ epoch: 2, version: 1 }, { epoch: 1, version: 9 })).toBeGreaterThan(0);
  expect(compareVersions({ epoch: 1, version: 1 }, { epoch: 1, version: 2 })).toBeLessThan(0);
  expect(compareVersions({ epoch: 1, version: 2 }, { epoch: 1, version: 2 })).toBe(0);
});
