// A router with cells behind it for one test, and requests to it; at the end nothing may be left inside or waiting.
import { onTestFinished } from 'vitest';
import { Agent, request } from 'undici';
import { createRedisStore } from '../../router/health/redis/redis-store.ts';
import type { Vote } from '../../router/health/record.ts';
import { homesOf, machineOf, UP, type Machine } from './machine.ts';
import { metricsOf, sumOf, untilNothingInside } from './metrics.ts';
import { fleetOf, startRouter, type RunningRouter } from './router.ts';
import type { StubCell } from './stub-cell.ts';
import { until } from './wait.ts';

export type Reply = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

export type Explained = { home: string; cell: string | null; role: string | null; epoch: number };

export type Routed = {
  router: RunningRouter;
  send: (tenant: string, more?: { method?: string; path?: string; body?: string | Buffer }) => Promise<Reply>;
  explain: (tenant: string) => Promise<Explained>;
  /** This router's own opinion of a cell. */
  opinionOf: (cell: string) => Promise<string>;
  knowledgeAgeMs: () => Promise<number | null>;
  gauge: (name: string, labels?: Record<string, string>) => Promise<number>;
  /** Waits until so many requests wait for a verdict. */
  untilHeld: (count: number) => Promise<void>;
};

/** `acme` is at home in the first cell, `bolt` in the second; each of two cells is the other's neighbour. */
export async function routed(
  cells: readonly Pick<StubCell, 'id' | 'origin'>[],
  env: Record<string, string> = {},
  more: { capacity?: unknown; fleet?: Record<string, unknown> } = {},
): Promise<Routed> {
  const capacity = more.capacity === undefined ? {} : { capacity: more.capacity };
  const origins = Object.fromEntries(cells.map(({ id, origin }) => [id, { origin, ...capacity }]));
  const [first, second] = cells;
  const pins = { acme: first?.id, ...(second === undefined ? {} : { bolt: second.id }) };
  const router = await startRouter(fleetOf(origins, { pins, ...more.fleet }), env);
  const agent = new Agent({ pipelining: 1 });
  const gauge = async (name: string, labels?: Record<string, string>): Promise<number> =>
    sumOf(await metricsOf(router.admin), name, labels);
  const untilHeld = async (count: number): Promise<void> => {
    await until(`${count} requests wait`, async () => (await gauge('cellgate_held_requests')) === count);
  };
  onTestFinished(async () => {
    try {
      if (router.child.exitCode !== null) return;
      await untilNothingInside(router.admin);
      await untilHeld(0);
    } finally {
      await agent.destroy();
      await router.stop();
    }
  });
  const admin = async <T>(path: string): Promise<T> => (await (await fetch(router.admin + path)).json()) as T;
  const cellsNow = async () =>
    await admin<{ cells: { id: string; opinion: string }[]; knowledgeAgeMs: number | null }>('/v1/cells');
  return {
    router,
    async send(tenant, { method = 'GET', path = '/orders', body } = {}) {
      const answer = await request(`${router.url}${path}`, {
        dispatcher: agent,
        method: method as 'GET',
        headers: { 'x-tenant-id': tenant },
        body: body ?? null,
      });
      return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
    },
    explain: async (tenant) => await admin<Explained>(`/v1/tenants/${tenant}`),
    opinionOf: async (cell) => (await cellsNow()).cells.find(({ id }) => id === cell)?.opinion ?? 'none',
    knowledgeAgeMs: async () => (await cellsNow()).knowledgeAgeMs,
    gauge,
    untilHeld,
  };
}

/** The refusal's code, or null where a cell answered. */
export function codeOf({ headers, body }: Reply): string | null {
  if (headers['content-type'] !== 'application/problem+json') return null;
  return (JSON.parse(body) as { code: string }).code;
}

export type Voter = Machine & { vote(votes: Record<string, Vote>): Promise<void> };

/** Another machine of a fleet of two cells, that says what the test wants: without it no verdict has a majority. */
export async function startVoter(url: string, prefix: string, id = 'voter'): Promise<Voter> {
  const store = createRedisStore({ url, prefix });
  const machine = machineOf(store, id, homesOf('cell-a', 'cell-b'));
  let votes: Record<string, Vote> = { 'cell-a': UP, 'cell-b': UP };
  const timer = setInterval(() => void machine.beat(votes).catch(() => undefined), 500);
  onTestFinished(async () => {
    clearInterval(timer);
    await store.close();
  });
  await until('the voter beats', async () => await machine.beat(votes));
  const vote = async (next: Record<string, Vote>): Promise<void> => {
    votes = next;
    await machine.beat(votes);
  };
  return Object.assign(machine, { vote });
}
