// A real router as a process of the run, and what it tells: its log lines and its admin port.
import { request } from 'undici';
import { ROUTER_ARGS, ROUTER_ENV } from '../../infra/local/router-process.ts';
import { startChild, type Child } from './child.ts';
import { until } from './until.ts';

/** A line of its log; `time` is ISO 8601. */
export type LogLine = { time: string; msg: string } & Record<string, unknown>;

/** What the admin port answered to an operator, and how long that took. */
export type Operated = { status: number; body: unknown; tookMs: number };

export type RunningRouter = {
  id: string;
  /** `http://127.0.0.1:port` of the public listener. */
  url: string;
  child: Child;
  logs: LogLine[];
  /** A `GET` on the admin port; answers the JSON. */
  admin(path: string): Promise<unknown>;
  /** A change on the admin port, with the token that the router was started with. */
  operate(method: 'POST' | 'PUT' | 'DELETE', path: string, body: unknown): Promise<Operated>;
  /** All of `/metrics`. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
};

const TOKEN = 'a-token-of-this-run';

/** Starts a router on ports of the kernel's choice and waits until it is ready. `env` beats the defaults. */
export async function startRouter(id: string, env: Record<string, string>): Promise<RunningRouter> {
  const logs: LogLine[] = [];
  const child = startChild(process.execPath, ROUTER_ARGS, {
    env: {
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      ADMIN_TOKEN: `operator:${TOKEN}`,
      ACCESS_LOG: 'off',
      ROUTER_ID: id,
      ...ROUTER_ENV,
      ...env,
    },
    onLine: (line) => logs.push(JSON.parse(line) as LogLine),
  });
  const listening = await until(`${id} listens`, () => {
    if (!child.running) throw new Error(child.stderr());
    return logs.find(({ msg }) => msg === 'router listening');
  });
  const { address, admin } = listening as LogLine & { address: string; admin: string };
  const ask = async (path: string): Promise<unknown> => {
    const answer = await request(`${admin}${path}`);
    return await answer.body.json();
  };
  const operate: RunningRouter['operate'] = async (method, path, body) => {
    const beganMs = performance.now();
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };
    const answer = await request(`${admin}${path}`, { method, headers, body: JSON.stringify(body) });
    const told: unknown = await answer.body.json();
    return { status: answer.statusCode, body: told, tookMs: performance.now() - beganMs };
  };
  const metrics = async (): Promise<string> => {
    const answer = await request(`${admin}/metrics`);
    return await answer.body.text();
  };
  await until(`${id} is ready`, async () => {
    const answer = await request(`${admin}/readyz`);
    await answer.body.dump();
    return answer.statusCode === 200;
  });
  return { id, url: address, child, logs, admin: ask, operate, metrics, stop: () => child.stop() };
}
