// slowhttptest in its three modes against a router, and what ordinary clients notice of it meanwhile.
import { spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { request } from 'undici';
import { startChild } from '../rig/child.ts';
import type { RunningRouter } from '../rig/router.ts';

export type SlowMode = 'head' | 'body' | 'read';

export type SlowRun = {
  mode: SlowMode;
  /** The most connections that the router had open at once. */
  most: number;
  /** Those left when the attack was over or its time was up, before the attacker closed any. */
  left: number;
  /** Ordinary requests during the attack, and those of them that were not answered 200. */
  ordinary: number;
  failed: number;
};

const TOOL = 'slowhttptest';
const CONNECTIONS = 300;
const SECONDS = 40;
/** Looked at this long before the attacker gives up and closes what is left. */
const BEFORE_END_MS = 2_000;
const ORDINARY_EVERY_MS = 100;
const LOOK_EVERY_MS = 500;

const MODES: Record<SlowMode, { path: string; flags: string[] }> = {
  head: { path: '/t/acme/head', flags: ['-H', '-i', '10'] },
  body: { path: '/t/acme/body', flags: ['-B', '-i', '10', '-s', '8192', '-x', '10', '-t', 'POST'] },
  read: { path: '/t/acme/large', flags: ['-X', '-w', '512', '-y', '1024', '-n', '5', '-z', '32'] },
};

/** Whether the tool is installed: Debian's package `slowhttptest`. */
export function canAttack(): boolean {
  return spawnSync(TOOL, ['-h'], { stdio: 'ignore' }).error === undefined;
}

export async function attackSlowly(router: RunningRouter, mode: SlowMode): Promise<SlowRun> {
  const { path, flags } = MODES[mode];
  const run: SlowRun = { mode, most: 0, left: 0, ordinary: 0, failed: 0 };
  const endsAtMs = performance.now() + SECONDS * 1_000 - BEFORE_END_MS;
  const scale = ['-c', String(CONNECTIONS), '-r', '100', '-l', String(SECONDS), '-p', '5'];
  const tool = startChild(TOOL, [...scale, '-u', `${router.url}${path}`, ...flags]);
  const pending: Promise<void>[] = [];
  const ordinary = setInterval(() => void pending.push(askOrdinarily(router, run)), ORDINARY_EVERY_MS);
  while (tool.running && performance.now() < endsAtMs) {
    run.most = Math.max(run.most, await connectionsOf(router));
    await pause(LOOK_EVERY_MS);
  }
  clearInterval(ordinary);
  await Promise.all(pending);
  run.left = await connectionsOf(router);
  await tool.stop();
  return run;
}

/** On a connection of its own, as a new client would. */
async function askOrdinarily(router: RunningRouter, run: SlowRun): Promise<void> {
  run.ordinary += 1;
  try {
    const answer = await request(`${router.url}/t/acme/ordinary`, { reset: true });
    await answer.body.dump();
    if (answer.statusCode !== 200) run.failed += 1;
  } catch {
    run.failed += 1;
  }
}

async function connectionsOf(router: RunningRouter): Promise<number> {
  const text = await router.metrics();
  return Number(/^cellgate_client_connections (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}
