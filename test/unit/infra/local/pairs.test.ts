// Who stands in for whom in a local fleet, as its cells are told.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planPairs } from '../../../../infra/local/pairs.ts';
import { fleetFile, planCells } from '../../../../infra/local/plan.ts';
import { parseFleet } from '../../../../router/fleet/load.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pairs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fleetOf(count: number): string {
  return fleetFile(planCells(Array.from({ length: count }, (_, index) => 4101 + index)));
}

/** `cell-a=postgres://…,…` → URL by home. */
function homesIn(standbyOf = ''): Map<string, string> {
  const entries = standbyOf.split(',').filter((entry) => entry !== '');
  return new Map(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

test.each([2, 3, 5])(
  'in a fleet of %i each cell holds the standbys of those whose neighbour it is',
  async (count) => {
    const text = fleetOf(count);
    const { placement, cells } = parseFleet(text, folder);
    const { envOf } = await planPairs(text, folder);
    for (const home of cells.keys()) {
      const neighbour = placement.neighbourOf(home) ?? '';
      expect([...homesIn(envOf(neighbour)['STANDBY_OF']).keys()]).toContain(home);
    }
    const all = [...cells.keys()].flatMap((id) => [...homesIn(envOf(id)['STANDBY_OF']).keys()]);
    expect(all.sort()).toEqual([...cells.keys()]);
  },
);

test('both sides of a pair are told the same URL of a database', async () => {
  const text = fleetOf(3);
  const { placement } = parseFleet(text, folder);
  const { envOf } = await planPairs(text, folder);
  const neighbour = placement.neighbourOf('cell-a') ?? '';
  const holder = placement.neighbourOf(neighbour) ?? '';
  expect(envOf('cell-a')['NEIGHBOUR_DATABASE_URL']).toBe(homesIn(envOf(holder)['STANDBY_OF']).get(neighbour));
});

test('the URL leads to the socket below the data folder of the cell, which others may pass through', async () => {
  const { envOf } = await planPairs(fleetOf(2), folder);
  const url = new URL(envOf('cell-a')['NEIGHBOUR_DATABASE_URL'] ?? '');
  expect(url.searchParams.get('host')).toBe(join(folder, 'cell-b/postgres'));
  expect(statSync(join(folder, 'cell-b')).mode & 0o777).toBe(0o711);
});

test('a cell that is alone has no pair', async () => {
  const { token, envOf } = await planPairs(fleetOf(1), folder);
  expect(envOf('cell-a')).toEqual({ CELL_TOKEN: token });
});

test('all cells of a run share a token that another run does not have', async () => {
  const [one, other] = [await planPairs(fleetOf(2), folder), await planPairs(fleetOf(2), folder)];
  expect(one.envOf('cell-a')['CELL_TOKEN']).toBe(one.envOf('cell-b')['CELL_TOKEN']);
  expect(one.token).not.toBe(other.token);
});
