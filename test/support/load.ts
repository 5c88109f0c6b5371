// A steady load of real requests at a fixed rate, open loop: a slow answer never slows the next request down.
import { Agent, request } from 'undici';

export type Sent = {
  tenant: string;
  method: 'GET' | 'POST';
  /** Which of the routers it went to, by index. */
  router: number;
  /** Milliseconds of `performance.now()`. */
  startedAtMs: number;
  /** 0: no answer at all. */
  status: number;
  /** `x-cell-id` of the answer. */
  cell: string | null;
  /** The refusal's code, or the connection's error. */
  error: string | null;
};

export type Load = {
  /** Everything answered so far. */
  sent: Sent[];
  /** Sends no more, and resolves when all that was sent is answered. May be called again. */
  stop(): Promise<Sent[]>;
};

const TICK_MS = 10;

/** Sends `rate` requests a second, every other one a POST, tenants and routers in turn. */
export function startLoad(routers: readonly string[], tenants: readonly string[], rate: number): Load {
  const agent = new Agent({ connections: 64, pipelining: 1 });
  const sent: Sent[] = [];
  const pending = new Set<Promise<void>>();
  const startMs = performance.now();
  let count = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) / 1000) * rate);
    for (; count < due; count += 1) {
      const one = send(agent, routers, tenants, count).then((result) => {
        sent.push(result);
        pending.delete(one);
      });
      pending.add(one);
    }
  }, TICK_MS);
  const stop = async (): Promise<Sent[]> => {
    clearInterval(timer);
    await Promise.all(pending);
    if (!agent.closed) await agent.close();
    return sent;
  };
  return { sent, stop };
}

async function send(
  agent: Agent,
  routers: readonly string[],
  tenants: readonly string[],
  count: number,
): Promise<Sent> {
  const method = count % 2 === 0 ? 'GET' : 'POST';
  const router = Math.floor(count / 2) % routers.length;
  const tenant = tenants[Math.floor(count / 2) % tenants.length] ?? '';
  const startedAtMs = performance.now();
  const base = { tenant, method, router, startedAtMs } as const;
  try {
    const answer = await request(`${routers[router]}/orders`, {
      dispatcher: agent,
      method,
      headers: { 'x-tenant-id': tenant, 'content-type': 'application/json' },
      body: method === 'POST' ? JSON.stringify({ item: 'tea', quantity: 1 }) : null,
    });
    const text = await answer.body.text();
    const refused = String(answer.headers['content-type']).startsWith('application/problem+json');
    const error = refused ? String((JSON.parse(text) as { code?: unknown }).code) : null;
    const cell = answer.headers['x-cell-id'];
    return { ...base, status: answer.statusCode, cell: typeof cell === 'string' ? cell : null, error };
  } catch (error) {
    return { ...base, status: 0, cell: null, error: String((error as { code?: unknown }).code ?? error) };
  }
}
