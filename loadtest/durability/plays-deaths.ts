// Scenarios in which processes are killed and come back, and a disk does not.
import { untilCalm } from '../bench/handover-rig.ts';
import { die, meanwhile, untilAway, untilHome, type Scene } from './scene.ts';

const STAY_MS = 5_000;

/** The home dies, its neighbour takes over, the home comes back. */
export function playKilled(how: 'process' | 'both'): (scene: Scene) => Promise<void> {
  return async (scene) => {
    await meanwhile(scene, STAY_MS);
    await die(scene, scene.home, how);
    await untilAway(scene);
    await meanwhile(scene, STAY_MS);
    scene.fleet.cell(scene.home).launch();
    await untilHome(scene);
  };
}

/** The cell starts its PostgreSQL again by itself; its tenants may be away meanwhile, or not. */
export async function playRestartedDatabase(scene: Scene): Promise<void> {
  await meanwhile(scene, STAY_MS);
  await die(scene, scene.home, 'database');
  await meanwhile(scene, STAY_MS);
  await untilCalm(scene.fleet);
}

/** Its home goes on without it. */
export async function playKilledNeighbour(scene: Scene): Promise<void> {
  await meanwhile(scene, STAY_MS);
  await die(scene, scene.neighbour, 'both');
  await meanwhile(scene, STAY_MS);
  scene.fleet.cell(scene.neighbour).launch();
  await untilCalm(scene.fleet);
}

export async function playKilledPair(scene: Scene): Promise<void> {
  await meanwhile(scene, STAY_MS);
  await Promise.all([die(scene, scene.home, 'both'), die(scene, scene.neighbour, 'both')]);
  await meanwhile(scene, STAY_MS);
  for (const id of [scene.home, scene.neighbour]) scene.fleet.cell(id).launch();
  await untilCalm(scene.fleet);
}

/** The home comes back with nothing: all that there is lies next door. */
export async function playLostDisk(scene: Scene): Promise<void> {
  const home = scene.fleet.cell(scene.home);
  await meanwhile(scene, STAY_MS);
  await die(scene, scene.home, 'both');
  home.loseDisk();
  await untilAway(scene);
  await meanwhile(scene, STAY_MS);
  home.launch();
  await untilHome(scene);
}
