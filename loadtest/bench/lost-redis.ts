// Redis is lost and comes back: what requests notice of it, and how soon every router knows everything again.
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import type { BenchFleet } from './failover-fleet.ts';
import { failed, type OpenLoad } from './open-load.ts';
import { median } from './statistics.ts';

/** `killed`: another one, empty, takes its place · `frozen`: it goes on later. */
export const REDIS_FAULTS = ['killed', 'frozen'] as const;

export type LostRedis = {
  fault: (typeof REDIS_FAULTS)[number];
  /** From its return to the last router that has read everything again and is subscribed. */
  backMs: number;
  /** Requests that failed while it was away. */
  failed: number;
  /** What half of the requests took at most, before and while it was away. */
  controlMs: number;
  awayMs: number;
};

const CONTROL_MS = 1_000;
/** Long enough for every router to notice, and for all beats to expire. */
const AWAY_MS = 4_000;

export async function playLostRedis(
  fleet: BenchFleet,
  load: OpenLoad,
  fault: LostRedis['fault'],
): Promise<LostRedis> {
  const { redis } = fleet;
  const startedMs = performance.now();
  await pause(CONTROL_MS);
  const goneMs = performance.now();
  await redis.signal(fault === 'killed' ? 'SIGKILL' : 'SIGSTOP');
  await pause(AWAY_MS);
  const awayUntilMs = performance.now();
  if (fault === 'killed') await redis.restart();
  else await redis.signal('SIGCONT');
  const backMs = performance.now();
  await until('every router has read everything again and is subscribed', () => knownAgain(fleet, backMs));
  const doneMs = performance.now();
  const within = (fromMs: number, toMs: number) =>
    load.sent.filter((one) => one.startedAtMs >= fromMs && one.endedAtMs < toMs);
  const tookMs = (fromMs: number, toMs: number): number =>
    median(within(fromMs, toMs).map((one) => one.endedAtMs - one.startedAtMs));
  return {
    fault,
    backMs: doneMs - backMs,
    failed: within(goneMs, doneMs).filter(failed).length,
    controlMs: tookMs(startedMs, goneMs),
    awayMs: tookMs(goneMs, awayUntilMs),
  };
}

/** Whether every router has had an answer since then, and Redis counts them all as listeners. */
async function knownAgain({ routers, redis }: BenchFleet, sinceMs: number): Promise<boolean> {
  const ages = await Promise.all(
    routers.map(async (router) => {
      const { knowledgeAgeMs } = (await router.admin('/v1/cells')) as { knowledgeAgeMs: number | null };
      return knowledgeAgeMs ?? Number.POSITIVE_INFINITY;
    }),
  );
  const fresh = ages.every((ageMs) => ageMs < performance.now() - sinceMs);
  if (!fresh) return false;
  const listeners = await redis.command('PUBSUB NUMSUB {cellgate}:changes');
  return listeners.trimEnd().endsWith(`:${routers.length}`);
}
