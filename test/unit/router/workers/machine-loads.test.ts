// What the tenants of each home ask of a machine of several workers.
import { expect, test } from 'vitest';
import { MachineLoads } from '../../../../router/workers/machine-loads.ts';

test('it is the sum of what its workers told last', () => {
  const loads = new MachineLoads();
  loads.told(1, [{ home: 'cell-a', requests: 1, concurrency: 9, tunnels: 9 }]);
  loads.told(1, [{ home: 'cell-a', requests: 10, concurrency: 1, tunnels: 2 }]);
  loads.told(2, [
    { home: 'cell-a', requests: 5, concurrency: 2, tunnels: 0 },
    { home: 'cell-b', requests: 7, concurrency: 0, tunnels: 1 },
  ]);
  expect(loads.counts()).toEqual([
    { home: 'cell-a', requests: 15, concurrency: 3, tunnels: 2 },
    { home: 'cell-b', requests: 7, concurrency: 0, tunnels: 1 },
  ]);
});

test('what an ended worker had counted stays counted, and what it had inside is gone', () => {
  const loads = new MachineLoads();
  loads.told(1, [{ home: 'cell-a', requests: 10, concurrency: 4, tunnels: 3 }]);
  loads.left(1);
  loads.told(1, [{ home: 'cell-a', requests: 2, concurrency: 1, tunnels: 0 }]);
  loads.left(1);
  expect(loads.counts()).toEqual([{ home: 'cell-a', requests: 12, concurrency: 0, tunnels: 0 }]);
});
