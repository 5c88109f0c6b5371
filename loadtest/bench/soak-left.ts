// What a router still has once its clients are gone: requests, tunnels, connections, descriptors. It is waited for, bounded.
import { setTimeout as pause } from 'node:timers/promises';
import type { RunningRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import { countOf, descriptorsOf, type Descriptors } from './soak-process.ts';
import { metricIn } from './soak-samples.ts';

/** By the router's own metrics. NaN: there is no such metric. */
export type Left = { connections: number; requests: number; tunnels: number; held: number };

/** Longer than any of its connections stays open without use, and than any of its requests is waited for. */
const LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 100;
/** Probes come and go: what is open at any moment is more than what is open for good. */
const LOOKS = 30;

/** The most descriptors of so many looks, of a router without clients. */
export async function descriptorsAtRest({ child }: RunningRouter): Promise<Descriptors> {
  let most = descriptorsOf(child.pid);
  for (let look = 1; look < LOOKS; look += 1) {
    await pause(LOOK_EVERY_MS);
    const now = descriptorsOf(child.pid);
    if (countOf(now) > countOf(most)) most = now;
  }
  return most;
}

/** What is left when it is nothing, or when the time is up. */
export async function leftInside(router: RunningRouter): Promise<Left> {
  let left = await look(router);
  await until(
    'nothing is left inside',
    async () => {
      left = await look(router);
      return Object.values(left).every((count) => count === 0);
    },
    { limitMs: LIMIT_MS, everyMs: LOOK_EVERY_MS },
  ).catch(() => undefined);
  return left;
}

async function look(router: RunningRouter): Promise<Left> {
  const text = await router.metrics();
  return {
    connections: metricIn(text, 'cellgate_client_connections'),
    requests: metricIn(text, 'cellgate_inside_requests'),
    tunnels: metricIn(text, 'cellgate_inside_tunnels'),
    held: metricIn(text, 'cellgate_held_requests'),
  };
}

/** What is open when it is no more than at the start, or when the time is up. Nothing is asked of the router meanwhile. */
export async function descriptorsLeft({ child }: RunningRouter, atStart: Descriptors): Promise<Descriptors> {
  let now = descriptorsOf(child.pid);
  await until(
    'the descriptors are back',
    () => {
      now = descriptorsOf(child.pid);
      return countOf(now) <= countOf(atStart);
    },
    { limitMs: LIMIT_MS, everyMs: LOOK_EVERY_MS },
  ).catch(() => undefined);
  return now;
}
