// Where the routers of a local fleet keep what they share: the user's Redis, one run for them, or the router itself.
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { EXIT, Failure } from '../failure.ts';
import type { ChildSpec } from './child.ts';
import type { SharedRedis } from './plan.ts';
import { anyFree } from './ports.ts';
import { findRedis, redisSpec } from './redis.ts';

/** The user's own Redis, a program to run, or the store in the process of the only router. */
export type StoreChoice =
  | { kind: 'given'; url: string }
  | { kind: 'own'; program: string }
  | { kind: 'in-process' };

/** Throws a `Failure` (exit code 2) when several routers would have nothing to share. */
export function chooseStore(routers: number, env: NodeJS.ProcessEnv): StoreChoice {
  const url = env['REDIS_URL'] ?? '';
  if (url !== '') return { kind: 'given', url };
  const program = findRedis(env['PATH'] ?? '');
  if (program !== undefined) return { kind: 'own', program };
  if (routers === 1) return { kind: 'in-process' };
  throw new Failure(
    EXIT.badInput,
    `--routers ${routers}: several routers share their verdicts in Redis, and there is none here; ` +
      'install redis-server, or set REDIS_URL',
  );
}

/** The process to run for it, what the routers are told of it, and a sentence for the user. */
export async function planStore(
  choice: StoreChoice,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<{ specs: ChildSpec[]; shared?: SharedRedis; sentence: string }> {
  if (choice.kind === 'in-process') {
    return { specs: [], sentence: 'in the router itself: no redis-server was found, so there is one router' };
  }
  if (choice.kind === 'own') {
    const port = await anyFree();
    const spec = redisSpec(choice.program, port, folder);
    const sentence = `a ${basename(choice.program)} of this fleet alone, on port ${port}`;
    return { specs: [spec], shared: { url: spec.url, prefix: 'cellgate' }, sentence };
  }
  // A fleet of this run must not find the records of another that happened to have cells of the same names.
  const given = env['REDIS_PREFIX'] ?? '';
  const prefix = given === '' ? `cellgate-local-${randomBytes(4).toString('hex')}` : given;
  const sentence = `the Redis of REDIS_URL, keys under ${prefix}`;
  return { specs: [], shared: { url: choice.url, prefix }, sentence };
}
