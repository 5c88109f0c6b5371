// One scenario from beginning to end: on a fleet that is well, clients write while it is played, and all is well again.
import { untilCalm } from '../bench/handover-rig.ts';
import { Random } from '../bench/wire-random.ts';
import type { RigCell } from '../rig/cell.ts';
import { until } from '../rig/until.ts';
import { Clients } from './clients.ts';
import type { DurabilityFleet } from './fleet.ts';
import type { LagWatch } from './lag-watch.ts';
import { measure, type Played } from './measure.ts';
import type { Scenario } from './scenarios.ts';
import type { Scene } from './scene.ts';

export type PlayOptions = {
  seed: number;
  quick: boolean;
  /** Which of the cells is the home in it. */
  turn: number;
};

const TENANTS_OF_EACH = 3;
const WELL_LIMIT_MS = 60_000;

/** Throws where the fleet does not recover. */
export async function playScenario(
  fleet: DurabilityFleet,
  lags: LagWatch,
  scenario: Scenario,
  { seed, quick, turn }: PlayOptions,
): Promise<Played> {
  const home = fleet.cells[turn % fleet.cells.length]?.id ?? '';
  await untilWell(fleet);
  const tenants = fleet.tenants(`s${turn}`, TENANTS_OF_EACH);
  const spanOf = (cell: string): string =>
    scenario.unharmed === true ? 'all' : `${cell} ${fleet.cell(cell).life}`;
  const routers = (): string[] => fleet.routers.filter(({ child }) => child.running).map(({ url }) => url);
  const clients = new Clients({ routers, tenants, seed: seed + turn, spanOf });
  const scene: Scene = {
    fleet,
    clients,
    lags,
    home,
    quick,
    neighbour: fleet.neighbourOf(home),
    random: new Random(seed + turn),
    deaths: [],
    planned: [],
  };
  try {
    await scenario.play(scene);
  } finally {
    await clients.stop();
  }
  await untilWell(fleet);
  return measure(scenario, scene);
}

/** Every router finds every cell well, nobody is away, and every standby is synced. */
async function untilWell(fleet: DurabilityFleet): Promise<void> {
  await untilCalm(fleet);
  await until(
    'every cell is well and every standby synced',
    async () => {
      const ill = (await Promise.all(fleet.cells.map(illness))).flat();
      if (ill.length > 0) throw new Error(ill.join(', '));
      return true;
    },
    { limitMs: WELL_LIMIT_MS, everyMs: 50 },
  );
  await untilCalm(fleet);
}

async function illness(cell: RigCell): Promise<string[]> {
  const health = await cell.health();
  const { status = 'silent', standbys = {} } = health ?? {};
  const unsynced = Object.values(standbys).filter(({ state }) => state !== 'synced');
  return status === 'ok' && unsynced.length === 0
    ? []
    : [`${cell.id}: ${status} ${JSON.stringify(standbys)}`];
}
