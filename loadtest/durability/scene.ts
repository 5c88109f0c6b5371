// What a scenario has at hand: the fleet under its clients, a pair of it, and words for what is done to them.
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../bench/wire-random.ts';
import { runningRouters, untilCalm, untilRow, firstRouter, type CellRow } from '../bench/handover-rig.ts';
import type { Operated } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import type { Clients } from './clients.ts';
import type { DurabilityFleet } from './fleet.ts';
import type { LagWatch, ShownLag } from './lag-watch.ts';

/** A cell that was killed, and the lag of its standby as it was shown last before that. */
export type Death = { cell: string; atMs: number; lag: ShownLag | null };

/** Milliseconds of `performance.now()`. */
export type Window = { fromMs: number; untilMs: number };

export type Scene = {
  fleet: DurabilityFleet;
  clients: Clients;
  lags: LagWatch;
  random: Random;
  home: string;
  neighbour: string;
  /** Everything takes a tenth of its time. */
  quick: boolean;
  deaths: Death[];
  /** When tenants were handed over as planned: nothing but the hold may be felt then. */
  planned: Window[];
};

/** Waits so long that clients write something; a tenth of it in a quick run, half a second at least. */
export async function meanwhile(scene: Scene, ms: number): Promise<void> {
  await pause(scene.quick ? Math.max(500, ms / 10) : ms);
}

/** Notes the lag that is shown, and kills. */
export async function die(scene: Scene, cell: string, how: 'process' | 'database' | 'both'): Promise<void> {
  const { fleet, lags, deaths } = scene;
  deaths.push({ cell, atMs: performance.now(), lag: lags.of(cell) });
  const victim = fleet.cell(cell);
  if (how === 'process') await victim.kill();
  else if (how === 'database') await victim.killDatabase();
  else await victim.killBoth();
}

/** All tenants of the home are at its neighbour, as every router that runs has it. */
export async function untilAway({ fleet, home }: Scene, routers = runningRouters(fleet)): Promise<void> {
  await untilRow(routers, home, 'away', ({ share, phase }) => share === 100 && phase === 'open');
}

/** The way home, which is planned, and the end of all else. */
export async function untilHome(scene: Scene): Promise<void> {
  await planned(scene, () => untilCalm(scene.fleet));
}

/** What happens meanwhile is a planned change of who serves whom. */
export async function planned(scene: Scene, work: () => Promise<void>): Promise<void> {
  const fromMs = performance.now();
  await work();
  scene.planned.push({ fromMs, untilMs: performance.now() });
}

const SAID = { reason: 'bench:durability', owner: 'bench' };
/** Longer than any scenario. */
const expiresIn = 3_600;
const BODIES = {
  drain: { ...SAID, percent: 100, expiresIn },
  restore: SAID,
  'fail-over': { ...SAID, expiresIn },
};

/** An operator's call about the home; answers what the router said, whatever that is. */
export async function operate({ fleet, home }: Scene, what: keyof typeof BODIES): Promise<Operated> {
  return firstRouter(fleet).operate('POST', `/v1/cells/${home}/${what}`, BODIES[what]);
}

/** The same; throws where the answer is anything but done. */
export async function operated(scene: Scene, what: keyof typeof BODIES): Promise<void> {
  const { status, body } = await operate(scene, what);
  if (status !== 200)
    throw new Error(`${what} of ${scene.home} was answered with ${status}: ${JSON.stringify(body)}`);
}

export async function rowOf({ fleet, home }: Scene): Promise<CellRow | undefined> {
  const answer = (await firstRouter(fleet).admin('/v1/cells')) as { cells: CellRow[] };
  return answer.cells.find(({ id }) => id === home);
}

/** Waits until the home's tenants are being handed over. */
export async function untilClosing(scene: Scene): Promise<void> {
  await until(`${scene.home} is being handed over`, async () => (await rowOf(scene))?.phase === 'closing', {
    limitMs: 10_000,
    everyMs: 2,
  });
}
