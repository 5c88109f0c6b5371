// One episode: a control window without a fault, the fault, the way home, and what the clients saw of it.
import { setTimeout as pause } from 'node:timers/promises';
import type { LogLine, RunningRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import type { BenchFleet } from './failover-fleet.ts';
import type { Fault, FaultKind } from './faults.ts';
import { countFailures, reasonsOf, type Failures } from './failures.ts';
import { failed, type OpenLoad } from './open-load.ts';

export type Episode = {
  kind: FaultKind;
  victim: string;
  /** From the fault to the first good answer from the neighbour at the last of the routers. */
  takeoverMs: number;
  /** The same without a fault: from any moment to the first good answer from the home at the last of the routers. */
  controlMs: number;
  /** From the store's decision to the last router that knows it. */
  spreadMs: number;
  failures: Failures;
  /** Requests that failed in the control window, and why. */
  controlFailed: number;
  controlReasons: Record<string, number>;
  /** In which nobody but the neighbour may serve the victim's tenants: epoch ms, until the way home began. */
  fromMs: number;
  untilMs: number;
};

const CONTROL_MS = 1_000;
/** How long the cell stays away after the neighbour has taken over. */
const AWAY_MS = 500;
const LIMIT_MS = 60_000;

/** Plays one fault on a fleet under load, from everybody at home to everybody at home. */
export async function playEpisode(fleet: BenchFleet, load: OpenLoad, fault: Fault): Promise<Episode> {
  const { victim } = fault;
  const control = await controlWindow(fleet, load, victim);
  const beganMs = performance.now();
  await fault.begin();
  const goneMs = performance.now();
  const takenMs = await untilAllAnswer(fleet, load, victim, fleet.neighbourOf(victim), beganMs);
  await pause(AWAY_MS);
  await fault.end();
  const homeMs = await untilAllAtHome(fleet, load, victim);
  const fromMs = performance.timeOrigin + beganMs;
  const decided = await eventAfter(fleet, victim, 'failed-over', fromMs);
  const wayHome = await eventAfter(fleet, victim, 'returning|serving', decided);
  const sent = load.sent.filter((one) => one.endedAtMs >= beganMs && one.startedAtMs <= homeMs);
  return {
    kind: fault.kind,
    victim,
    takeoverMs: takenMs - beganMs,
    ...control,
    spreadMs: lastVerdict(fleet.routers, victim, fromMs) - decided,
    failures: countFailures(sent, victim, beganMs, goneMs),
    fromMs,
    untilMs: wayHome,
  };
}

async function controlWindow(
  fleet: BenchFleet,
  load: OpenLoad,
  victim: string,
): Promise<Pick<Episode, 'controlMs' | 'controlFailed' | 'controlReasons'>> {
  const beganMs = performance.now();
  const answeredMs = await untilAllAnswer(fleet, load, victim, victim, beganMs);
  await pause(CONTROL_MS);
  const sent = load.sent.filter(({ startedAtMs }) => startedAtMs >= beganMs);
  const controlFailed = sent.filter(failed).length;
  return { controlMs: answeredMs - beganMs, controlFailed, controlReasons: reasonsOf(sent) };
}

/** When the last router had its first good answer from `cell` to a tenant of `home`, at or after `sinceMs`. */
export async function untilAllAnswer(
  fleet: BenchFleet,
  load: OpenLoad,
  home: string,
  cell: string,
  sinceMs: number,
): Promise<number> {
  const skip = load.sent.findLastIndex(({ endedAtMs }) => endedAtMs < sinceMs) + 1;
  const firsts = (): number[] => {
    const first = new Map<number, number>();
    for (const one of load.sent.slice(skip)) {
      const counts = one.home === home && one.cell === cell && !failed(one);
      if (counts && !first.has(one.router)) first.set(one.router, one.endedAtMs);
    }
    return [...first.values()];
  };
  const all = await until(
    `every router serves ${home} from ${cell}`,
    () => {
      const found = firsts();
      return found.length === fleet.routers.length ? found : undefined;
    },
    { limitMs: LIMIT_MS },
  );
  return Math.max(...all);
}

type CellRow = { id: string; state: string; target: string };

/** When every router has served the victim's tenants at home again; all that was sent before is answered then. */
async function untilAllAtHome(fleet: BenchFleet, load: OpenLoad, victim: string): Promise<number> {
  const isHome = async (router: RunningRouter): Promise<boolean> => {
    const { cells } = (await router.admin('/v1/cells')) as { cells: CellRow[] };
    const row = cells.find(({ id }) => id === victim);
    return row?.state === 'serving' && row.target === victim;
  };
  await until(
    `${victim} serves its tenants at every router`,
    async () => (await Promise.all(fleet.routers.map(isHome))).every(Boolean),
    { limitMs: LIMIT_MS, everyMs: 25 },
  );
  // A router may know the verdict and still distrust the cell itself: its refusals belong to this episode.
  const homeMs = await untilAllAnswer(fleet, load, victim, victim, performance.now());
  await until('what was sent before is answered', () => !load.openBefore(homeMs), { limitMs: LIMIT_MS });
  return homeMs;
}

/** When the store decided it, in epoch milliseconds: the first such event of the audit log. */
async function eventAfter(
  { routers }: BenchFleet,
  cell: string,
  to: string,
  afterMs: number,
): Promise<number> {
  const answer = await routers[0]?.admin('/v1/events?limit=100');
  const { events } = (answer ?? { events: [] }) as { events: { at: string; cell: string; to: string }[] };
  const times = events
    .filter((event) => event.cell === cell && to.split('|').includes(event.to))
    .map(({ at }) => Date.parse(at))
    .filter((at) => at >= Math.floor(afterMs));
  if (times.length === 0) throw new Error(`the audit log has no event of ${cell} to ${to}`);
  return Math.min(...times);
}

/** When the last router logged the verdict against the victim. */
function lastVerdict(routers: readonly RunningRouter[], victim: string, afterMs: number): number {
  const isVerdict = ({ msg, home, state }: LogLine): boolean =>
    msg === 'verdict' && home === victim && state === 'failed-over';
  return Math.max(
    ...routers.map(({ id, logs }) => {
      const times = logs.filter(isVerdict).map(({ time }) => Date.parse(time));
      const first = times.find((at) => at >= Math.floor(afterMs));
      if (first === undefined) throw new Error(`${id} has logged no verdict against ${victim}`);
      return first;
    }),
  );
}
