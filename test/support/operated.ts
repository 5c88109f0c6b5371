// A router with cells behind it, and an operator at its admin port.
import { onTestFinished } from 'vitest';
import { OPERATOR_TOKEN, WITH_OPERATOR, type Told } from './operator.ts';
import { fleetOf, startRouter, type RunningRouter } from './router.ts';
import { startStubCell, type StubCell } from './stub-cell.ts';
import { until } from './wait.ts';

export const TOKEN = OPERATOR_TOKEN;
export const WHY = { reason: 'power works', owner: 'anna' };
export const STAY = { ...WHY, expiresIn: 600 };

/** A beat that is answered so much later was begun later. */
const BEAT_MS = 50;

type Json = Record<string, unknown>;
export type Method = 'POST' | 'PUT' | 'DELETE';

export type Operated = {
  router: RunningRouter;
  cells: StubCell[];
  /** `token` null: none is sent. A body that is no object is sent as it is. */
  ask: (method: Method, path: string, body?: unknown, token?: string | null) => Promise<Told>;
  get: (path: string) => Promise<Json>;
  /** The row of one cell at `GET /v1/cells`. */
  cellNow: (id: string) => Promise<Json>;
  events: () => Promise<Json[]>;
  /** The cell that a request of the tenant is answered by. */
  servedBy: (tenant: string) => Promise<string | null>;
  /** Waits until the store has heard what the router knows of its cells now. */
  untilTold: () => Promise<void>;
};

/** For one test, at the end of which all of it is stopped. */
export async function operated(env: Record<string, string> = {}, count = 3): Promise<Operated> {
  const operator = await startOperated(env, count);
  onTestFinished(operator.stop);
  return operator;
}

/** So many cells (three), each the neighbour of the one before. `acme` is at home in the first, `bolt` in the second. */
export async function startOperated(
  env: Record<string, string> = {},
  count = 3,
): Promise<Operated & { stop: () => Promise<void> }> {
  const names = ['cell-a', 'cell-b', 'cell-c'].slice(0, count);
  const cells = await Promise.all(names.map((id) => startStubCell(id)));
  const declared = cells.map(({ id, origin }, i) => {
    const neighbour = count === 1 ? {} : { neighbour: names[(i + 1) % count] };
    return [id, { origin, ...neighbour }] as const;
  });
  const pins = count === 1 ? { acme: 'cell-a' } : { acme: 'cell-a', bolt: 'cell-b' };
  const router = await startRouter(fleetOf(Object.fromEntries(declared), { pins }), {
    ...WITH_OPERATOR,
    PROBE_INTERVAL_MS: '50',
    RISE: '2',
    ...env,
  });
  const get = async (path: string): Promise<Json> =>
    (await (await fetch(router.admin + path)).json()) as Json;
  const rows = async (): Promise<Json[]> => (await get('/v1/cells'))['cells'] as Json[];
  await until('all cells are up', async () => (await rows()).every(({ opinion }) => opinion === 'up'));
  const untilTold = async (): Promise<void> => {
    const fromMs = performance.now();
    await until('the store has heard of it', async () => {
      const ageMs = Number((await get('/v1/cells'))['knowledgeAgeMs']);
      return performance.now() - ageMs > fromMs + BEAT_MS;
    });
  };
  await untilTold();
  return {
    untilTold,
    stop: async () => {
      await router.stop();
      await Promise.all(cells.map((cell) => cell.close()));
    },
    router,
    cells,
    get,
    cellNow: async (id) => (await rows()).find((row) => row['id'] === id) ?? {},
    events: async () => (await get('/v1/events'))['events'] as Json[],
    async ask(method, path, body, token = TOKEN) {
      const headers = {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      };
      const sent = typeof body === 'string' || body === undefined ? (body ?? null) : JSON.stringify(body);
      const options: RequestInit = { method, headers, body: sent };
      const answer = await fetch(router.admin + path, options);
      return { status: answer.status, body: (await answer.json()) as Json };
    },
    async servedBy(tenant) {
      const answer = await fetch(router.url, { headers: { 'x-tenant-id': tenant } });
      await answer.text();
      return answer.headers.get('x-cell-id');
    },
  };
}
