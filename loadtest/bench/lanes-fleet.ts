// What the benchmark of the lanes measures: three stub cells with a knee, and one real router that knows where it is.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startRouter, type RunningRouter } from '../rig/router.ts';
import { startStubProcess, type StubProcess } from '../stubs/stub-process.ts';

/** Each stands in for the one before it, the first for the last. */
const CELLS = ['cell-a', 'cell-b', 'cell-c'] as const;

/** Requests inside a cell at once up to which it takes its fixed time for each. */
export const KNEE = 32;
export const SERVICE_MS = 200;
/** What a cell can answer in a second. */
export const CAPACITY_RPS = (KNEE * 1_000) / SERVICE_MS;

const TENANTS_PER_CELL = 20;
const NOISY: Tenant = { tenant: 'noisy', home: 'cell-b' };

export type Tenant = { tenant: string; home: string };

export type LanesFleet = {
  /** The cell that is lost, and the one that stands in for it. */
  lost: StubProcess;
  neighbour: StubProcess;
  cells: readonly StubProcess[];
  router: RunningRouter;
  tenantsOf: (cell: StubProcess) => Tenant[];
  /** One more at home in the neighbour, that sends nothing but on purpose. */
  noisy: Tenant;
  neighbourOf: (cell: string) => string;
  close(): Promise<void>;
};

/**
 * Starts it and waits until the router is ready. `concurrency` is what the fleet file declares, be it true or not; the
 * cells have their knee where it is.
 */
export async function startLanesFleet(folder: string, concurrency: number): Promise<LanesFleet> {
  const started: { stop(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  try {
    const [lost, neighbour, third] = await Promise.all(CELLS.map((id) => startCell(id, folder, started)));
    if (lost === undefined || neighbour === undefined || third === undefined) throw new Error('no cells');
    const cells = [lost, neighbour, third];
    const file = join(folder, 'fleet.yaml');
    writeFileSync(file, stringify(fleetFile(cells, concurrency)));
    const router = await startRouter('router-1', { FLEET_FILE: file, MIN_DWELL_MS: '500' });
    started.push(router);
    return { lost, neighbour, cells, router, tenantsOf, noisy: NOISY, neighbourOf, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startCell(
  id: string,
  folder: string,
  started: { stop(): Promise<void> }[],
): Promise<StubProcess> {
  const behaviour = { latencyMs: SERVICE_MS, knee: KNEE };
  const cell = await startStubProcess({ id, logFile: join(folder, `${id}.log`), behaviour });
  started.push(cell);
  return cell;
}

function fleetFile(cells: readonly StubProcess[], concurrency: number): unknown {
  const capacity = { concurrency };
  const declared = cells.map(({ id, origin }) => [id, { origin, neighbour: neighbourOf(id), capacity }]);
  const pins = cells.flatMap((cell) => tenantsOf(cell).map(({ tenant, home }) => [tenant, home]));
  return {
    cells: Object.fromEntries(declared),
    generations: [{ add: CELLS }],
    pins: { ...Object.fromEntries(pins), [NOISY.tenant]: NOISY.home },
  };
}

function neighbourOf(cell: string): string {
  const next = (CELLS.findIndex((id) => id === cell) + 1) % CELLS.length;
  return CELLS[next] ?? '';
}

function tenantsOf({ id }: Pick<StubProcess, 'id'>): Tenant[] {
  return Array.from({ length: TENANTS_PER_CELL }, (_, i) => ({ tenant: `${id}-${i}`, home: id }));
}
