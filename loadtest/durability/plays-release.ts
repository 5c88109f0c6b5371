// A release that adds a column, half rolled out: next door first, as it should be, and then the wrong way round.
import { untilCalm } from '../bench/handover-rig.ts';
import { until } from '../rig/until.ts';
import { databasesOf, onDatabase } from './databases.ts';
import { die, meanwhile, untilAway, untilHome, type Scene } from './scene.ts';

const STAY_MS = 4_000;

/**
 * The column is added by SQL, as a release's migration would. Between the two steps the home dies and its guests write,
 * so that rows have to go both ways across the difference.
 */
export async function playHalfRelease(scene: Scene): Promise<void> {
  const { fleet, home, random } = scene;
  const { own, standby } = databasesOf(fleet, home);
  const [good, wrong] = [`added_${random.below(1e9)}`, `added_${random.below(1e9)}`];
  await addColumn(standby, good);
  await meanwhile(scene, STAY_MS);
  await die(scene, home, 'both');
  await untilAway(scene);
  await meanwhile(scene, STAY_MS);
  fleet.cell(home).launch();
  // What guests wrote has a column that the home does not have: it comes home when the home has it, too.
  await fleet.cell(home).untilDatabase();
  await addColumn(own, good);
  await untilHome(scene);
  await addColumn(own, wrong);
  await meanwhile(scene, STAY_MS);
  await addColumn(standby, wrong);
  await untilCalm(fleet);
  // No migration knows them: a home that lost its disk later could not take rows that have them.
  for (const url of [own, standby]) {
    for (const name of [good, wrong]) await alterOrders(url, `drop column if exists ${name}`);
  }
}

async function addColumn(url: string, name: string): Promise<void> {
  await alterOrders(url, `add column if not exists ${name} text`);
}

/** A database that was just started may not answer yet. */
async function alterOrders(url: string, change: string): Promise<void> {
  await until('the table is altered', async () => {
    await onDatabase(url, (client) => client.query(`alter table public.orders ${change}`));
    return true;
  });
}
