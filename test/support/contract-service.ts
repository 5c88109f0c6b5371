// A service of a team's own on the contract plugin, in the test's process: a route that says whose a request is, and one whose work a test ends.
import Fastify, { type FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { contract, type ContractOptions } from '../../cell-template/contract/contract.ts';
import type { Rule } from '../../router/health/record.ts';

export type Service = {
  app: FastifyInstance;
  port: number;
  url: string;
  /** Tenants whose work has begun, and what ends that of each. */
  working: Map<string, () => void>;
  /** Tenants whose client has left before it was answered. */
  left: Set<string>;
  /** Lets so much time pass for it, as its own clock shows it. */
  sleep: (ms: number) => void;
  /** Brings a rule, as a router does. */
  bring: (rule: Rule | object | string, headers?: Record<string, string>) => Promise<Answer>;
  /** One request of a tenant, as a router sends it. */
  ask: (tenant: string, options?: Asked) => Promise<Answer>;
  health: () => Promise<Record<string, unknown>>;
  close: () => Promise<void>;
};

export type Answer = { status: number; body: unknown };
export type Asked = {
  home?: string;
  epoch?: number;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/** Cell `cell-a` on a free port of loopback. */
export async function startService(options: Partial<ContractOptions> = {}): Promise<Service> {
  let nowMs = 0;
  const app = Fastify({ forceCloseConnections: true });
  await app.register(contract, {
    cell: 'cell-a',
    version: '1.2.3',
    token: null,
    clocks: [() => nowMs],
    ...options,
  });
  const working = new Map<string, () => void>();
  const left = new Set<string>();
  app.addHook('onRequestAbort', async ({ whose }) => void left.add(whose.tenant));
  routes(app, working);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    app,
    port,
    url,
    working,
    left,
    sleep: (ms) => void (nowMs += ms),
    bring: (rule, headers = {}) => {
      const body = typeof rule === 'string' ? rule : JSON.stringify(rule);
      return answerOf(fetch(`${url}/.cellgate/serving`, { method: 'PUT', body, headers }));
    },
    ask: (
      tenant,
      { home = 'cell-a', epoch = 1, path = '/whose', method = 'GET', headers = {}, signal } = {},
    ) => {
      const fields = {
        'x-tenant-id': Buffer.from(tenant).toString('latin1'),
        'x-cell-home': home,
        'x-cell-epoch': String(epoch),
        ...headers,
      };
      return answerOf(
        fetch(url + path, { method, headers: fields, ...(signal === undefined ? {} : { signal }) }),
      );
    },
    health: async () => (await answerOf(fetch(`${url}/health`))).body as Record<string, unknown>,
    close: async () => {
      for (const end of working.values()) end();
      await app.close();
    },
  };
}

function routes(app: FastifyInstance, working: Map<string, () => void>): void {
  app.get('/whose', async ({ whose }) => whose);
  app.post('/whose', async ({ whose }) => whose);
  app.get('/open', { config: { contract: false } }, async () => ({ open: true }));
  app.get('/login', { config: { contract: { tenantless: true } } }, async ({ whose }) => whose);
  app.get('/by-callback', (_request, reply) => void setImmediate(() => void reply.send({ done: true })));
  app.get('/taken-over', (_request, reply) => {
    reply.hijack();
    reply.raw.end();
  });
  app.get('/failing', () => {
    throw new Error('as a test wants it');
  });
  app.get('/work', async ({ whose }) => {
    await new Promise<void>((resolve) => working.set(whose.tenant, resolve));
    return { done: true };
  });
  app.get('/work-by-callback', ({ whose }, reply) => {
    working.set(whose.tenant, () => void reply.send({ done: true }));
  });
  app.get('/stream', { config: { contract: { streams: true } } }, ({ whose }, reply) => {
    reply.hijack();
    reply.raw.writeHead(200).write('open');
    working.set(whose.tenant, () => void reply.raw.end());
  });
}

async function answerOf(answering: Promise<Response>): Promise<Answer> {
  const answer = await answering;
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
}
