// Scenarios in which tenants are handed over as planned, and something is lost in the middle of it.
import { setTimeout as pause } from 'node:timers/promises';
import { runningRouters, untilCalm, untilRow } from '../bench/handover-rig.ts';
import { die, meanwhile, operate, operated, planned, rowOf, untilClosing, type Scene } from './scene.ts';

export type Interruption = 'nothing' | 'router' | 'losing cell' | 'gaining cell' | 'Redis';

const STAY_MS = 3_000;
/** So long is Redis away. */
const AWAY_MS = 3_000;
/** Not the one that the operator calls. */
const LAST = 1;

/**
 * The home is drained and restored. To be interrupted, the handover is kept closing by a silence between the two cells:
 * the gaining one can not have what the losing one wrote.
 */
export function playInterrupted(by: Interruption): (scene: Scene) => Promise<void> {
  return async (scene) => {
    await meanwhile(scene, STAY_MS);
    if (by === 'nothing') await planned(scene, () => operated(scene, 'drain'));
    else await interrupt(scene, by);
    await meanwhile(scene, STAY_MS);
    await untilRow(runningRouters(scene.fleet), scene.home, 'up', ({ opinion }) => opinion === 'up');
    // A home that failed over meanwhile finds its way back by itself.
    if ((await rowOf(scene))?.state === 'drained') await planned(scene, () => operated(scene, 'restore'));
    await untilCalm(scene.fleet);
  };
}

async function interrupt(scene: Scene, by: Exclude<Interruption, 'nothing'>): Promise<void> {
  const { fleet, home, neighbour } = scene;
  fleet.cut(home, 'silence');
  const drained = operate(scene, 'drain').catch(() => null);
  await untilClosing(scene);
  if (by === 'router') await fleet.routers[LAST]?.child.stop(0);
  else if (by === 'Redis') await fleet.redis.signal('SIGKILL');
  else await die(scene, by === 'losing cell' ? home : neighbour, 'both');
  fleet.heal(home);
  if (by === 'Redis') {
    await pause(AWAY_MS);
    await fleet.redis.restart();
  }
  await drained;
  if (by === 'router') await fleet.replaceRouter(LAST);
  else if (by !== 'Redis') fleet.cell(by === 'losing cell' ? home : neighbour).launch();
  await untilRow(runningRouters(fleet), home, 'in the hands of one cell', ({ phase }) => phase === 'open');
}
