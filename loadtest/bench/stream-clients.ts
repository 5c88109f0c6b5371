// Clients of what has no end: a few WebSockets and event streams, each opened again as soon as it ends, and how each ended.
import { setMaxListeners } from 'node:events';
import { text } from 'node:stream/consumers';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import type { LoadPlan, Sent } from './open-load.ts';

export type StreamKind = 'websocket' | 'events';

export type StreamEnd = {
  tenant: string;
  kind: StreamKind;
  /** Of which router, by index. */
  router: number;
  cell: string;
  /** Milliseconds of `performance.now()`. */
  atMs: number;
  /**
   * `restart`: a WebSocket that was told 1012 · `clean`: an event stream that ended as a whole answer does · `cut`: broken
   * off, or ended with another code.
   */
  how: 'restart' | 'clean' | 'cut';
};

export type StreamClients = {
  /** What is open now: tenant and kind → the cell. */
  readonly open: ReadonlyMap<string, { tenant: string; cell: string }>;
  readonly ends: readonly StreamEnd[];
  /** Openings that were refused, or not answered. */
  readonly refusals: readonly Sent[];
  /** Ends all of them; resolves when that is done. */
  stop(): Promise<void>;
};

type Client = {
  tenant: string;
  home: string;
  kind: StreamKind;
  router: number;
  url: string;
  startedAtMs: number;
};
type Parts = { ends: StreamEnd[]; refusals: Sent[]; open: Map<string, { tenant: string; cell: string }> };

/** A refused client comes back after this. */
const AGAIN_MS = 50;

/** One of each kind for each of these tenants; routers take turns, and a router's URL is looked up in the plan each time. */
export function startStreams(plan: LoadPlan, tenants: LoadPlan['tenants']): StreamClients {
  const parts: Parts = { ends: [], refusals: [], open: new Map() };
  const agent = new Agent({ bodyTimeout: 0 });
  const ended = new AbortController();
  setMaxListeners(0, ended.signal);
  const keepOpen = async (one: Pick<Client, 'tenant' | 'home' | 'kind' | 'router'>): Promise<void> => {
    while (!ended.signal.aborted) {
      const client: Client = {
        ...one,
        url: plan.routers[one.router] ?? '',
        startedAtMs: performance.now(),
      };
      const opened =
        one.kind === 'websocket'
          ? await playWebSocket(client, parts, ended.signal)
          : await playEvents(client, parts, ended.signal, agent);
      if (!opened) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  const routers = plan.routers.length;
  const all = tenants.flatMap(({ tenant, home }, index) => [
    keepOpen({ tenant, home, kind: 'websocket', router: index % routers }),
    keepOpen({ tenant, home, kind: 'events', router: (index + 1) % routers }),
  ]);
  return {
    ...parts,
    async stop() {
      ended.abort();
      await Promise.all(all);
      await agent.destroy();
    },
  };
}

/** Resolves at its end; false: it was not even opened. */
async function playWebSocket(client: Client, parts: Parts, signal: AbortSignal): Promise<boolean> {
  const { tenant, url } = client;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { 'x-tenant-id': tenant } });
  const leave = (): void => socket.terminate();
  signal.addEventListener('abort', leave);
  let cell = '';
  const refusal: Refusal = { status: 0, error: 'closed before it was open' };
  socket.on('upgrade', ({ headers }) => {
    cell = String(headers['x-cell-id']);
    opened(client, parts, cell);
  });
  socket.on('unexpected-response', (asked, answer) => {
    refusal.status = answer.statusCode ?? 0;
    text(answer)
      .then((told) => (refusal.error = codeIn(told)))
      .catch(() => undefined)
      .finally(() => asked.destroy());
  });
  socket.on('error', ({ message }) => {
    if (cell === '' && refusal.status === 0) refusal.error = message;
  });
  const code = await new Promise<number>((resolve) => socket.once('close', resolve));
  signal.removeEventListener('abort', leave);
  if (cell !== '') return closed(client, parts, signal, cell, code === 1012 ? 'restart' : 'cut');
  return refused(client, parts, signal, refusal);
}

async function playEvents(
  client: Client,
  parts: Parts,
  signal: AbortSignal,
  dispatcher: Agent,
): Promise<boolean> {
  const headers = { 'x-tenant-id': client.tenant, accept: 'text/event-stream' };
  let cell = '';
  try {
    const answer = await request(`${client.url}/events`, { dispatcher, headers, signal });
    if (answer.statusCode !== 200) {
      const error = codeIn(await answer.body.text());
      return refused(client, parts, signal, { status: answer.statusCode, error });
    }
    cell = String(answer.headers['x-cell-id']);
    opened(client, parts, cell);
    // Unlike a dump this throws when the stream is broken off.
    for await (const _ of answer.body);
    return closed(client, parts, signal, cell, 'clean');
  } catch (error) {
    if (cell !== '') return closed(client, parts, signal, cell, 'cut');
    const { code } = error as { code?: unknown };
    return refused(client, parts, signal, { status: 0, error: String(code ?? error) });
  }
}

function codeIn(problem: string): string {
  try {
    return String((JSON.parse(problem) as { code?: unknown }).code);
  } catch {
    return 'no problem document';
  }
}

function opened({ tenant, kind }: Client, { open }: Parts, cell: string): void {
  open.set(`${kind} ${tenant}`, { tenant, cell });
}

function closed(
  { tenant, kind, router }: Client,
  { open, ends }: Parts,
  signal: AbortSignal,
  cell: string,
  how: StreamEnd['how'],
): boolean {
  open.delete(`${kind} ${tenant}`);
  if (!signal.aborted) ends.push({ tenant, kind, router, cell, atMs: performance.now(), how });
  return true;
}

type Refusal = Pick<Sent, 'status' | 'error'>;

function refused(
  { tenant, home, router, startedAtMs }: Client,
  { refusals }: Parts,
  signal: AbortSignal,
  refusal: Refusal,
): boolean {
  const sent = { tenant, home, method: 'GET', router, startedAtMs } as const;
  if (!signal.aborted) refusals.push({ ...sent, endedAtMs: performance.now(), cell: null, ...refusal });
  return false;
}
