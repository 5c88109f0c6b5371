// The load: requests at a fixed rate, open loop, so that a slow answer never slows the next request down.
import { Agent, request } from 'undici';

export type Sent = {
  tenant: string;
  home: string;
  method: 'GET' | 'POST';
  /** Which of the routers it went to, by index. */
  router: number;
  /** Milliseconds of `performance.now()`. */
  startedAtMs: number;
  endedAtMs: number;
  /** 0: no answer at all. */
  status: number;
  /** `x-cell-id` of the answer. */
  cell: string | null;
  /** The refusal's code and words, or the connection's error. */
  error: string | null;
};

/** What the load is made of. `routers` may be changed while it runs. */
export type LoadPlan = {
  routers: string[];
  tenants: readonly { tenant: string; home: string }[];
  /** Requests a second. */
  rate: number;
};

export type OpenLoad = {
  /** Everything that was answered, in the order of the answers. */
  sent: readonly Sent[];
  /** How many requests a second have been sent since the start. */
  rate(): number;
  /** Whether a request that was sent before this moment has no answer yet. */
  openBefore(ms: number): boolean;
  /** Sends no more, and resolves when all that was sent is answered. */
  stop(): Promise<void>;
};

const TICK_MS = 5;
const BODY = JSON.stringify({ item: 'tea', quantity: 1 });

type Started = Pick<Sent, 'tenant' | 'home' | 'method' | 'router' | 'startedAtMs'>;

/** Every other request is a POST; tenants and routers take turns. */
export function startOpenLoad(plan: LoadPlan): OpenLoad {
  const agent = new Agent({ connections: 1_024, pipelining: 1, keepAliveTimeout: 60_000 });
  const sent: Sent[] = [];
  const open = new Map<Started, Promise<void>>();
  const startMs = performance.now();
  let count = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) / 1000) * plan.rate);
    for (; count < due; count += 1) {
      const started = nextOf(plan, count);
      const done = send(agent, plan.routers[started.router] ?? '', started).then((result) => {
        sent.push(result);
        open.delete(started);
      });
      open.set(started, done);
    }
  }, TICK_MS);
  return {
    sent,
    rate: () => count / ((performance.now() - startMs) / 1000),
    openBefore: (ms) => [...open.keys()].some(({ startedAtMs }) => startedAtMs < ms),
    async stop() {
      clearInterval(timer);
      await Promise.all(open.values());
      await agent.destroy();
    },
  };
}

function nextOf({ routers, tenants }: LoadPlan, count: number): Started {
  const pair = Math.floor(count / 2);
  const { tenant, home } = tenants[pair % tenants.length] ?? { tenant: '', home: '' };
  const method = count % 2 === 0 ? 'GET' : 'POST';
  return { tenant, home, method, router: pair % routers.length, startedAtMs: performance.now() };
}

async function send(agent: Agent, url: string, started: Started): Promise<Sent> {
  const { tenant, method } = started;
  try {
    const answer = await request(`${url}/orders`, {
      dispatcher: agent,
      method,
      headers: { 'x-tenant-id': tenant, 'content-type': 'application/json' },
      body: method === 'POST' ? BODY : null,
    });
    const text = await answer.body.text();
    const { 'content-type': type, 'x-cell-id': cell } = answer.headers;
    const refused = type === 'application/problem+json';
    const error = refused ? refusalIn(text) : null;
    const endedAtMs = performance.now();
    return {
      ...started,
      endedAtMs,
      status: answer.statusCode,
      cell: typeof cell === 'string' ? cell : null,
      error,
    };
  } catch (error) {
    const { code } = error as { code?: unknown };
    return { ...started, endedAtMs: performance.now(), status: 0, cell: null, error: String(code ?? error) };
  }
}

/** Whether the client got no good answer. */
export function failed({ status }: Sent): boolean {
  return status < 200 || status > 299;
}

/** A refusal's code, and what it adds in words. */
export function refusalIn(text: string): string {
  const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
  return typeof detail === 'string' ? `${String(code)} (${detail})` : String(code);
}
