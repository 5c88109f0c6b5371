// A router with several workers in front of stub cells that are processes, and a client's connection to each of its workers.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { metricsOf, sumOf } from './metrics.ts';
import { WITH_OPERATOR } from './operator.ts';
import { descendantsOf } from './processes.ts';
import { openClient, type RawAnswer, type RawClient } from './raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from './router.ts';
import { startStubProcess, type StubProcess } from './stub-process.ts';
import { until } from './wait.ts';

export const WORKERS = 3;

export type Working = {
  router: RunningRouter;
  /** `acme` is at home in the first, `bolt` in the second; each is the other's neighbour. */
  cells: [StubProcess, StubProcess];
  /** The file with these pins instead. */
  fleet: (pins: Record<string, string>) => unknown;
};

/** For one test, at the end of which all of it is stopped. */
export async function working(
  env: Record<string, string> = {},
  { capacity = {}, level = 1 }: { capacity?: object; level?: 0 | 1 } = {},
): Promise<Working> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-working-'));
  const start = async (id: string): Promise<StubProcess> =>
    await startStubProcess({ id, level, logFile: join(folder, `${id}.log`) });
  const cells: Working['cells'] = [await start('cell-a'), await start('cell-b')];
  const declared = Object.fromEntries(cells.map(({ id, origin }) => [id, { origin, capacity }]));
  const fleet = (pins: Record<string, string>): unknown => fleetOf(declared, { pins });
  const settings = { ...WITH_OPERATOR, WORKERS: String(WORKERS), ...env };
  const router = await startRouter(fleet({ acme: 'cell-a', bolt: 'cell-b' }), settings);
  onTestFinished(async () => {
    await router.stop();
    await Promise.all(cells.map((cell) => cell.stop()));
    await rm(folder, { recursive: true });
  });
  return { router, cells, fleet };
}

/** The processes of the workers now. */
export function workersOf({ pid }: RunningRouter): number[] {
  return descendantsOf(pid);
}

export async function gauge(
  { admin }: RunningRouter,
  name: string,
  labels?: Record<string, string>,
): Promise<number> {
  return sumOf(await metricsOf(admin), name, labels);
}

export async function untilAllServe(router: RunningRouter): Promise<void> {
  await until('all workers serve', async () => (await gauge(router, 'cellgate_workers')) === WORKERS);
}

/** A request on an open connection. The answer names the cell. */
export async function ask(client: RawClient, tenant: string, path = '/', id = ''): Promise<RawAnswer> {
  client.send(request(tenant, path, id));
  return await client.answer();
}

export function request(tenant: string, path = '/', id = ''): string {
  const lines = [`GET ${path} HTTP/1.1`, 'Host: api.example.com', `X-Tenant-Id: ${tenant}`];
  return [...lines, ...(id === '' ? [] : [`X-Request-Id: ${id}`]), '', ''].join('\r\n');
}

/** An open connection to each worker, by its number: whose it is, is told by the log. */
export async function clientsOf(router: RunningRouter): Promise<Map<number, RawClient>> {
  const clients = new Map<number, RawClient>();
  for (let i = 0; clients.size < WORKERS; i += 1) {
    if (i > 10 * WORKERS) throw new Error('a worker gets no connection');
    const client = await openClient(router.port);
    const id = `whose-${router.logs.length}-${i}`;
    await ask(client, 'bolt', '/', id);
    const line = await until('the request is logged', () =>
      router.logs.find((one) => one['requestId'] === id),
    );
    const worker = Number(line['worker']);
    if (clients.has(worker)) client.close();
    else clients.set(worker, client);
  }
  onTestFinished(() => {
    for (const client of clients.values()) client.close();
  });
  return clients;
}

/** The cell that an answer came from; else its status. */
export function cellOf({ status, body }: RawAnswer): string {
  return status === 200 ? (JSON.parse(body) as { cell: string }).cell : String(status);
}
