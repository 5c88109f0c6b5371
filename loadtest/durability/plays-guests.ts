// Scenarios about what is written next door: guests, and what was not shipped when the home died.
import { setTimeout as pause } from 'node:timers/promises';
import { runningRouters, untilCalm, untilRow } from '../bench/handover-rig.ts';
import { die, meanwhile, untilAway, untilHome, type Scene } from './scene.ts';
import { create } from './writes.ts';

const STAY_MS = 5_000;
/** A tenth of it in a quick run. */
const CUT_MS = 30_000;
/** Clients write meanwhile, and nothing of it is shipped. */
const UNSHIPPED_MS = 500;

/** Neither side hears of the other, and both go on. */
export async function playCut({ fleet, home, ...scene }: Scene): Promise<void> {
  fleet.cut(home, 'silence');
  await pause(scene.quick ? CUT_MS / 10 : CUT_MS);
  fleet.heal(home);
  await untilCalm(fleet);
}

/** The home dies with writes that were not shipped; guests write to the same orders; then both are merged. */
export async function playFailover(scene: Scene): Promise<void> {
  const { fleet, home } = scene;
  await meanwhile(scene, STAY_MS);
  fleet.cut(home, 'reset');
  await pause(UNSHIPPED_MS);
  await die(scene, home, 'both');
  fleet.heal(home);
  await untilAway(scene);
  await meanwhile(scene, STAY_MS);
  fleet.cell(home).launch();
  await untilHome(scene);
}

/** A client that was answered by a home that then died asks its neighbour once more, with the same key. */
export async function playSameKey(scene: Scene): Promise<void> {
  const { fleet, home, clients, random } = scene;
  fleet.cut(home, 'reset');
  const desk = clients.desk(random);
  const tenant = fleet.tenants('same-key', 1).find((one) => one.home === home);
  if (tenant === undefined) throw new Error(`no tenant of ${home}`);
  const orders = ['first', 'second', 'third'].map((name) => clients.newEntry(tenant, name));
  for (const entry of orders) await create(desk, entry, 1);
  const before = orders.map(({ id }) => id);
  await die(scene, home, 'both');
  fleet.heal(home);
  await untilAway(scene);
  for (const entry of orders) await create(desk, entry, 1);
  if (orders.some(({ id }, index) => id !== before[index]))
    throw new Error('a key sent again next door gave another order');
  fleet.cell(home).launch();
  await untilHome(scene);
}

/** The home comes back while the only cell that has the guests' writes is gone. */
export async function playLostNeighbour(scene: Scene): Promise<void> {
  const { fleet, home, neighbour } = scene;
  await die(scene, home, 'both');
  await untilAway(scene);
  await meanwhile(scene, STAY_MS);
  await die(scene, neighbour, 'both');
  fleet.cell(home).launch();
  await untilRow(
    runningRouters(fleet),
    home,
    'home again',
    ({ share, phase }) => share === 0 && phase === 'open',
  );
  await meanwhile(scene, STAY_MS);
  fleet.cell(neighbour).launch();
  await untilCalm(fleet);
}
