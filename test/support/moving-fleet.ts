// A router with four fenced cells, the last of which is to join, and an operator who cuts buckets over.
import { onTestFinished } from 'vitest';
import { fleetFrom } from '../unit/router/fleet/fleets.ts';
import { startFencedCell, type FencedCell } from './fenced-cell.ts';
import { startRouter, type RunningRouter } from './router.ts';
import { until } from './wait.ts';

type Json = Record<string, unknown>;
type CellNow = {
  id: string;
  epoch: number;
  buckets: number;
  moving: Record<string, number>;
  opinion: string;
};

export type MovingFleet = {
  router: RunningRouter;
  ask: (body: Json) => Promise<{ status: number; body: Json }>;
  cellsNow: () => Promise<CellNow[]>;
  explain: (tenant: string) => Promise<{ home: string; cell: string | null; reason: string }>;
  send: (tenant: string) => Promise<{ status: number; cell: string | null; code: string | null }>;
  /** Puts another file in force. */
  give: (file: object) => Promise<void>;
  stop: () => Promise<void>;
};

export const TOKEN = 'a-long-enough-token';
const WHY = { reason: 'a new cell', owner: 'anna' };
/** The cells live in the test's own process: while that deals buckets, they answer nobody, and are not dead. */
const PATIENCE = { PROBE_TIMEOUT_MS: '3000' };
const ENV = { ADMIN_TOKEN: `anna:${TOKEN}`, PROBE_INTERVAL_MS: '50', RISE: '2', ...PATIENCE };

export const FIRST = { add: ['cell-a', 'cell-b', 'cell-c'] };
export const JOINING = { add: ['cell-d'] };
export const TENANTS = Array.from({ length: 60 }, (_, i) => `tenant-${i}`);

/** `cell-a` to `cell-d`, for one test. */
export async function startCells(): Promise<FencedCell[]> {
  const cells = await Promise.all([...FIRST.add, ...JOINING.add].map((id) => startFencedCell(id)));
  onTestFinished(async () => {
    await Promise.all(cells.map((cell) => cell.close()));
  });
  return cells;
}

export function fileOf(cells: readonly FencedCell[], generations: object[], pins: object = {}): object {
  return { cells: Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }])), generations, pins };
}

/** The tenants that a file is to move. */
export function moversOf(file: object): Set<string> {
  const { placement } = fleetFrom(file);
  return new Set(TENANTS.filter((tenant) => placement.locate(tenant).movingTo !== null));
}

/** For one test. */
export async function startMoving(file: object, env: Record<string, string> = {}): Promise<MovingFleet> {
  const moving = await openMoving(file, env);
  onTestFinished(moving.stop);
  return moving;
}

export async function openMoving(file: object, env: Record<string, string> = {}): Promise<MovingFleet> {
  const router = await startRouter(file, { ...ENV, ...env });
  const get = async (path: string): Promise<Json> =>
    (await (await fetch(router.admin + path)).json()) as Json;
  const cellsNow = async (): Promise<CellNow[]> => (await get('/v1/cells'))['cells'] as CellNow[];
  return {
    router,
    cellsNow,
    stop: async () => void (await router.stop()),
    ask: async (body) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };
      const sent = JSON.stringify({ ...WHY, ...body });
      const answer = await fetch(`${router.admin}/v1/buckets/cut-over`, {
        method: 'POST',
        headers,
        body: sent,
      });
      return { status: answer.status, body: (await answer.json()) as Json };
    },
    explain: async (tenant) =>
      (await get(`/v1/tenants/${tenant}`)) as Awaited<ReturnType<MovingFleet['explain']>>,
    send: async (tenant) => {
      const answer = await fetch(router.url, { headers: { 'x-tenant-id': tenant } });
      const body = (await answer.json()) as { code?: string };
      return { status: answer.status, cell: answer.headers.get('x-cell-id'), code: body.code ?? null };
    },
    give: async (next) => {
      const known = router.logs.length;
      await router.writeFleet(next);
      router.kill('SIGHUP');
      await until('the file is in force', () =>
        router.logs.slice(known).some(({ msg }) => msg === 'fleet in force'),
      );
      await until('all cells are up', async () =>
        (await cellsNow()).every(({ opinion }) => opinion === 'up'),
      );
    },
  };
}
