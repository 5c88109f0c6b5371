// What an operator does in a play, by the admin port of a router that runs; each call is timed.
import { request, type Agent } from 'undici';
import type { Operated, RunningRouter } from '../rig/router.ts';
import type { Scene } from './handover-play.ts';
import { firstRouter } from './handover-rig.ts';
import { refusalIn, type Sent } from './open-load.ts';

const SAID = { reason: 'bench:handover', owner: 'bench' };
/** Longer than any play. */
const LONG_S = 3_600;

type Call = { method: 'POST' | 'PUT' | 'DELETE'; path: string; body: Record<string, unknown> };

/** Calls a router (the first one that runs, unless said) and answers what it said, whatever that is. */
export async function call(
  scene: Scene,
  { method, path, body }: Call,
  router: RunningRouter = firstRouter(scene.fleet),
): Promise<Operated> {
  const answer = await router.operate(method, path, { ...SAID, ...body });
  scene.callMs.push(answer.tookMs);
  return answer;
}

/** The same; throws where the answer is anything but done. */
async function done(scene: Scene, one: Call): Promise<void> {
  const { status, body } = await call(scene, one);
  if (status !== 200) {
    throw new Error(`${one.method} ${one.path} was answered with ${status}: ${JSON.stringify(body)}`);
  }
}

export function drainCall(cell: string, percent: number, expiresIn = LONG_S): Call {
  return { method: 'POST', path: `/v1/cells/${cell}/drain`, body: { percent, expiresIn } };
}

export async function drain(scene: Scene, percent: number, expiresIn = LONG_S): Promise<void> {
  await done(scene, drainCall(scene.home, percent, expiresIn));
}

export async function endDrain(scene: Scene): Promise<void> {
  await done(scene, { method: 'DELETE', path: `/v1/cells/${scene.home}/drain`, body: {} });
}

export async function restore(scene: Scene): Promise<void> {
  await done(scene, { method: 'POST', path: `/v1/cells/${scene.home}/restore`, body: {} });
}

export async function pin(scene: Scene, tenant: string, expiresIn = LONG_S): Promise<void> {
  const body = { cell: scene.neighbour, expiresIn };
  await done(scene, { method: 'PUT', path: `/v1/pins/${tenant}`, body });
}

export async function unpin(scene: Scene, tenant: string): Promise<void> {
  await done(scene, { method: 'DELETE', path: `/v1/pins/${tenant}`, body: {} });
}

export async function cutOver(scene: Scene, buckets: [number, number][], to: string): Promise<void> {
  await done(scene, { method: 'POST', path: '/v1/buckets/cut-over', body: { buckets, to } });
}

/** One request by a router: `router` is its index. */
export async function sendOne(
  url: string,
  { path, ...one }: Pick<Sent, 'tenant' | 'home' | 'router'> & { path: string },
  dispatcher?: Agent,
): Promise<Sent> {
  const started = { ...one, method: 'GET', startedAtMs: performance.now() } as const;
  try {
    const headers = { 'x-tenant-id': one.tenant };
    const answer = await request(`${url}${path}`, { headers, ...(dispatcher && { dispatcher }) });
    const text = await answer.body.text();
    const cell = String(answer.headers['x-cell-id']);
    const error = answer.statusCode === 200 ? null : refusalIn(text);
    return { ...started, endedAtMs: performance.now(), status: answer.statusCode, cell, error };
  } catch (error) {
    const { code } = error as { code?: unknown };
    return { ...started, endedAtMs: performance.now(), status: 0, cell: null, error: String(code ?? error) };
  }
}
