// Scenarios in which time is not what it seems: a router that sleeps through a failover, a cell whose clock is ahead.
import { runningRouters, untilCalm } from '../bench/handover-rig.ts';
import { die, meanwhile, operated, planned, untilAway, untilHome, type Scene } from './scene.ts';

const STAY_MS = 4_000;
const SLEEPER = 1;
const AHEAD_MS = 5_000;

/** The home lives on and is reached by the sleeper when it wakes: only the rule that it was told keeps it from writing. */
export async function playAsleepRouter(scene: Scene): Promise<void> {
  const { fleet } = scene;
  const sleeper = fleet.routers[SLEEPER];
  if (sleeper === undefined) throw new Error('it takes two routers');
  await meanwhile(scene, STAY_MS);
  sleeper.child.signal('SIGSTOP');
  await operated(scene, 'fail-over');
  await untilAway(
    scene,
    runningRouters(fleet).filter((router) => router !== sleeper),
  );
  await meanwhile(scene, STAY_MS);
  sleeper.child.signal('SIGCONT');
  await meanwhile(scene, STAY_MS);
  await planned(scene, () => operated(scene, 'restore'));
  await untilCalm(fleet);
}

/** It dies and comes back, ahead of its neighbour all the while; the clock of its PostgreSQL is right, as is the machine's. */
export async function playWrongClock(scene: Scene): Promise<void> {
  const { fleet, home } = scene;
  await die(scene, home, 'process');
  fleet.cell(home).launch({ clockAheadMs: AHEAD_MS });
  await untilCalm(fleet);
  await meanwhile(scene, STAY_MS);
  await die(scene, home, 'both');
  await untilAway(scene);
  await meanwhile(scene, STAY_MS);
  fleet.cell(home).launch({ clockAheadMs: AHEAD_MS });
  await untilHome(scene);
  await meanwhile(scene, STAY_MS);
  await die(scene, home, 'process');
  fleet.cell(home).launch();
  await untilCalm(fleet);
}
