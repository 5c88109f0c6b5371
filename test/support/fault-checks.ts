// What a spoiled fleet is asked: who serves whom at every router, what the records and events say, and who strayed.
import { expect } from 'vitest';
import { Agent, request } from 'undici';
import { ADMIN_TOKEN, CELLS, NEIGHBOUR, tenantsOf, type FaultFleet } from './fault-fleet.ts';
import { startLoad, type Load } from './load.ts';
import { metricsOf, sumOf } from './metrics.ts';
import { until } from './wait.ts';

/** What is asked of a router: where it listens. */
export type Asked = { url: string; admin: string };
export type Row = {
  id: string;
  neighbour: string | null;
  state: string;
  phase: string;
  share: number;
  /** How many. */
  pins: number;
  target: string;
  epoch: number;
  cause: string;
  opinion: string;
};
export type Status = {
  cells: Row[];
  held: { home: string; why: string }[];
  convergence: { current: number };
};
export type Event = { cell: string; from: string; to: string; epoch: number; cause: string; actor: string };

type Method = 'GET' | 'POST';

const RATE = 60;

export async function statusOf({ admin }: Asked): Promise<Status> {
  return (await (await fetch(`${admin}/v1/cells`)).json()) as Status;
}

export async function rowOf(router: Asked, cell: string): Promise<Row> {
  const row = (await statusOf(router)).cells.find(({ id }) => id === cell);
  if (row === undefined) throw new Error(`the router does not know ${cell}`);
  return row;
}

export async function gaugeOf(
  { admin }: Asked,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  return sumOf(await metricsOf(admin), name, labels);
}

/** Waits until these routers serve `home` from `target`, and find `target` up themselves. */
export async function untilServedFrom(
  home: string,
  target: string,
  routers: readonly Asked[],
): Promise<void> {
  await until(`${home} is served from ${target}`, async () => {
    const all = await Promise.all(
      routers.map(async (router) => [await rowOf(router, home), await rowOf(router, target)] as const),
    );
    return all.every(([row, { opinion }]) => row.target === target && opinion === 'up');
  });
}

function isCalm({ state, phase, share, pins, opinion }: Row): boolean {
  return state === 'serving' && phase === 'open' && share === 0 && pins === 0 && opinion === 'up';
}

/** Waits until every router finds every cell up and at home, and all of them know of one another. */
export async function untilCalm({ routers }: FaultFleet): Promise<void> {
  for (const router of routers) {
    await until('all is well again', async () => {
      const { cells, held, convergence } = await statusOf(router);
      const live = await gaugeOf(router, 'cellgate_live_routers');
      const well = cells.every(isCalm);
      return well && held.length === 0 && convergence.current === 1 && live === routers.length;
    });
  }
}

/** How a request ends: `200 cell-a`, or for a refusal `503 cell-unavailable`. */
export async function answerTo(router: Asked, tenant: string, method: Method = 'GET'): Promise<string> {
  const agent = new Agent({ connections: 1 });
  try {
    return await answerOver(agent, router, tenant, method);
  } finally {
    await agent.destroy();
  }
}

/** The same over the connections of this agent, which may be open already. */
export async function answerOver(
  dispatcher: Agent,
  router: Asked,
  tenant: string,
  method: Method,
): Promise<string> {
  const answer = await request(`${router.url}/orders`, {
    dispatcher,
    method,
    headers: { 'x-tenant-id': tenant },
    body: method === 'POST' ? '{"item":"tea"}' : null,
  });
  const text = await answer.body.text();
  const refused = answer.headers['content-type'] === 'application/problem+json';
  const who = refused ? (JSON.parse(text) as { code: string }).code : answer.headers['x-cell-id'];
  return `${answer.statusCode} ${String(who)}`;
}

/** Every tenant of `home` asks each router, with each method: the different ends of it. */
export async function answersFor(
  home: string,
  routers: readonly Asked[],
  methods: readonly Method[] = ['GET', 'POST'],
): Promise<string[]> {
  const asked = routers.flatMap((router) =>
    tenantsOf(home).flatMap((tenant) => methods.map((method) => answerTo(router, tenant, method))),
  );
  return [...new Set(await Promise.all(asked))].sort();
}

/** The changes of a cell's record and what held them back, the oldest first, of those newer than `epoch`. */
export async function eventsOf(router: Asked, cell: string, epoch = 0): Promise<Event[]> {
  const answer = await fetch(`${router.admin}/v1/events?limit=200`);
  const { events } = (await answer.json()) as { events: Event[] };
  return events.filter((event) => event.cell === cell && event.epoch > epoch).reverse();
}

/** How often the routers gave a cell up since it had this epoch: the way home takes several steps, and may be put back. */
export async function failoversOf(router: Asked, cell: string, epoch: number): Promise<number> {
  const events = await eventsOf(router, cell, epoch);
  return events.filter(({ from, to }) => from !== to && to === 'failed-over').length;
}

/** A failover by hand; answers the status. */
export async function forceFailover({ admin }: Asked, cell: string, expiresIn: number): Promise<number> {
  const answer = await fetch(`${admin}/v1/cells/${cell}/fail-over`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ reason: 'a drill', owner: 'anna', expiresIn }),
  });
  await answer.text();
  return answer.status;
}

/** Requests of all tenants by these routers, until `untroubled` ends them. */
export function loadOf(routers: readonly Asked[]): Load {
  return startLoad(
    routers.map(({ url }) => url),
    CELLS.flatMap((id) => tenantsOf(id)),
    RATE,
  );
}

/** Waits until so many more requests are answered. */
export async function more(load: Load, count: number): Promise<void> {
  const enough = load.sent.length + count;
  await until('the load goes on', () => load.sent.length >= enough);
}

/** Ends the load, after a while more: no request of a tenant that is at home in another cell than these may have failed. */
export async function expectOthersUntroubled(load: Load, victims: readonly string[]): Promise<void> {
  await more(load, RATE);
  const sent = await load.stop();
  const others = sent.filter(({ tenant }) => !victims.some((home) => tenantsOf(home).includes(tenant)));
  expect(others.length).toBeGreaterThan(0);
  expect(others.filter(({ status }) => status < 200 || status > 299)).toEqual([]);
}

/** By the cells' own access logs nobody was ever served by a third cell. */
export function expectNoThirdCell(fleet: FaultFleet): void {
  const lines = CELLS.flatMap((id) => fleet.cell(id).served());
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.filter(({ home, cell }) => home !== cell && NEIGHBOUR[home] !== cell)).toEqual([]);
}
