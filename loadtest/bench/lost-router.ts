// A cell and one of two routers die together: the survivor is no majority until the dead one's beat has expired.
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import { untilAllAnswer } from './episode.ts';
import type { BenchFleet } from './failover-fleet.ts';
import { killOf } from './faults.ts';
import type { LoadPlan, OpenLoad } from './open-load.ts';

export type LostRouter = {
  /** From the kills to the first good answer from the neighbour at the survivor. */
  takeoverMs: number;
  /** From the kills to the survivor's own opinion that the cell is down. */
  voteMs: number;
};

const SURVIVOR = 0;
const LOST = 1;
/** Every machine must have beaten lately, or the dead one is not missed at all. */
const SETTLE_MS = 1_500;

/** Plays it once on a fleet of two routers, and puts a new router in the dead one's place. */
export async function playLostRouter(
  fleet: BenchFleet,
  load: OpenLoad,
  plan: LoadPlan,
  turn: number,
): Promise<LostRouter> {
  const { victim, begin, end } = killOf(fleet, turn);
  const [survivor, lost] = [fleet.routers[SURVIVOR], fleet.routers[LOST]];
  if (survivor === undefined || lost === undefined) throw new Error('it takes two routers');
  await pause(SETTLE_MS);
  // Clients find another router by themselves or through a load balancer: that is not what is measured.
  plan.routers = [survivor.url];
  const beganMs = performance.now();
  await Promise.all([begin(), lost.child.stop(0)]);
  const alone: BenchFleet = { ...fleet, routers: [survivor] };
  const takenMs = await untilAllAnswer(alone, load, victim, fleet.neighbourOf(victim), beganMs);
  const down = survivor.logs.find(
    ({ msg, cell, opinion, time }) =>
      msg === 'opinion of a cell changed' &&
      cell === victim &&
      opinion === 'down' &&
      Date.parse(time) >= Math.floor(performance.timeOrigin + beganMs),
  );
  if (down === undefined) throw new Error('the survivor has logged no opinion');
  await end();
  await fleet.restartRouter(LOST);
  await until('the cell is home again', async () => {
    const { cells } = (await survivor.admin('/v1/cells')) as { cells: { id: string; state: string }[] };
    return cells.find(({ id }) => id === victim)?.state === 'serving';
  });
  return { takeoverMs: takenMs - beganMs, voteMs: Date.parse(down.time) - performance.timeOrigin - beganMs };
}
