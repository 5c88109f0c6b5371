// The changes that are played without a fault, each from everybody at home to everybody at home; and two that are halves.
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import { FIRST_FILE, OTHER_CIRCLE } from './handover-fleet.ts';
import { cutOver, drain, endDrain, pin, restore, unpin } from './handover-operator.ts';
import type { Scene } from './handover-play.ts';
import { runningRouters, untilCalm, untilRow } from './handover-rig.ts';
import { startOpenLoad, type LoadPlan } from './open-load.ts';

export type Act = (scene: Scene) => Promise<void>;

const CONTROL_MS = 2_000;
/** One tenant of many is asked for too seldom to show anything: so many requests a second beside the load. */
const PINNED_RATE = 60;
const PINNED_TENANTS = 3;
const EXPIRES_S = 1;

/** Nothing is changed: what the figures are without a handover. */
export const playNothing: Act = async () => await pause(CONTROL_MS);

/** 0 → 10 → 50 → 100 → 50 → 0 %. */
export const playDrain: Act = async (scene) => {
  for (const percent of [10, 50, 100, 50]) await drain(scene, percent);
  await endDrain(scene);
  await untilCalm(scene.fleet);
};

/** The first half: all of it, at once. */
export const playEvacuation: Act = async (scene) => await drain(scene, 100);

/** The second half: brings home what the first sent away. */
export const playRestore: Act = async (scene) => {
  await restore(scene);
  await untilCalm(scene.fleet);
};

/** The fault before a failback, which is no part of it: a kill, and the takeover by the neighbour. */
export async function loseCell({ fleet, load }: Pick<Scene, 'fleet' | 'load'>, home: string): Promise<void> {
  await fleet.cell(home).kill('SIGKILL');
  await untilRow(runningRouters(fleet), home, 'failed over', ({ state }) => state === 'failed-over');
  const takenOverMs = performance.now();
  await until('what was under way is answered', () => !load.openBefore(takenOverMs));
}

/** The cell is there again; every step home is a handover. */
export const playFailback: Act = async ({ fleet, home }) => {
  await fleet.cell(home).restart();
  await untilCalm(fleet);
};

export const playPins: Act = async (scene) => {
  await withLoadOf(scene, async (tenants) => {
    for (const tenant of tenants) await pin(scene, tenant);
    for (const tenant of tenants) await unpin(scene, tenant);
  });
  await untilCalm(scene.fleet);
};

/** The way home of its own accord: by steps, like any other. */
export const playDrainExpiry: Act = async (scene) => {
  await drain(scene, 100, EXPIRES_S);
  await untilCalm(scene.fleet);
};

export const playPinExpiry: Act = async (scene) => {
  await withLoadOf(scene, async (tenants) => {
    for (const tenant of tenants) await pin(scene, tenant, EXPIRES_S);
    await untilCalm(scene.fleet);
  });
};

/** Every cell gets another neighbour by the file, there and back by turns. Nobody is away: no tenant changes cell. */
export const playNeighbours: Act = async (scene) => {
  const { fleet, turn } = scene;
  const beganMs = performance.now();
  fleet.write(turn % 2 === 0 ? { ...FIRST_FILE, circle: OTHER_CIRCLE } : FIRST_FILE);
  await untilNeighbours(scene);
  scene.callMs.push(performance.now() - beganMs);
};

/** Waits until each record has the neighbour that the file wants. */
export async function untilNeighbours({ fleet }: Pick<Scene, 'fleet'>): Promise<void> {
  for (const id of fleet.written().placement.cells) {
    const wanted = fleet.written().placement.neighbourOf(id);
    await untilRow(runningRouters(fleet), id, `with ${wanted}`, ({ neighbour }) => neighbour === wanted);
  }
}

/** Ranges of buckets are given to their new home. */
export function playCutOver(ranges: [number, number][], to: string): Act {
  return async (scene) => {
    await cutOver(scene, ranges, to);
    await untilCalm(scene.fleet);
  };
}

async function withLoadOf(scene: Scene, act: (tenants: string[]) => Promise<void>): Promise<void> {
  const { plan, fleet, home } = scene;
  const tenants = fleet.tenants.filter((one) => one.home === home).slice(0, PINNED_TENANTS);
  const own: LoadPlan = { ...plan, tenants, rate: PINNED_RATE };
  const load = startOpenLoad(own);
  try {
    await act(tenants.map(({ tenant }) => tenant));
  } finally {
    await load.stop();
    scene.extra.push(...load.sent);
  }
}
