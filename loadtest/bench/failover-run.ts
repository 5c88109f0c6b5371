// The whole measurement, in order: kills, freezes, black holes, kills unannounced, and a router lost with a cell.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../rig/until.ts';
import { playEpisode, type Episode } from './episode.ts';
import { startBenchFleet, type BenchFleet } from './failover-fleet.ts';
import { blackHoleOf, freezeOf, killOf, unannouncedKillOf, type Fault, type FaultKind } from './faults.ts';
import { playLostRedis, REDIS_FAULTS, type LostRedis } from './lost-redis.ts';
import { playLostRouter, type LostRouter } from './lost-router.ts';
import { failed, startOpenLoad, type LoadPlan, type OpenLoad } from './open-load.ts';
import { servedByThird, servedByTwo, type Window } from './two-cells.ts';

/** How often each fault is played. */
export type Plays = {
  kills: number;
  freezes: number;
  blackHoles: number;
  unannounced: number;
  /** Each of the ways in which Redis is lost. */
  lostRedis: number;
  lostRouters: number;
};

export type FailoverOptions = Plays & {
  /** An empty folder for files of the run. The caller removes it. */
  folder: string;
  /** Requests a second. */
  rate: number;
  /** Contract level of the stub cells. */
  level: 0 | 1;
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

export type Measured = {
  episodes: Episode[];
  lostRouters: LostRouter[];
  /** Requests a second that were really sent, the slowest of the loads. */
  rate: number;
  /** From the access logs. `two`: of the kills alone. */
  third: number;
  two: number;
  /** The same of freezes: such a cell wakes up with requests inside it. */
  twoAfterSleep: number;
  /** The same of black holes: what was on its way to the cell arrives when the line heals. */
  twoAfterHeal: number;
  lostRedis: LostRedis[];
};

const TENANTS = 1_000;
/** Good answers in a row before anything is measured. */
const STEADY = 300;
const STEADY_LIMIT_MS = 15_000;

type Rig = { fleet: BenchFleet; load: OpenLoad; plan: LoadPlan };

/** Runs it all. Throws when the fleet does not serve or does not recover; whatever was started has ended then too. */
export async function runFailover(options: FailoverOptions): Promise<Measured> {
  const measured: Measured = {
    episodes: [],
    lostRouters: [],
    rate: Infinity,
    third: 0,
    two: 0,
    twoAfterSleep: 0,
    twoAfterHeal: 0,
    lostRedis: [],
  };
  await onRig(options, 3, measured, async (rig) => {
    for (const [index, fault] of faultsOf(options, rig.fleet).entries()) {
      const episode = await playEpisode(rig.fleet, rig.load, fault);
      measured.episodes.push(episode);
      options.say(progressOf(index + 1, episode));
    }
    for (let turn = 0; turn < options.lostRedis; turn += 1) {
      for (const fault of REDIS_FAULTS) {
        const lost = await playLostRedis(rig.fleet, rig.load, fault);
        measured.lostRedis.push(lost);
        options.say(`Redis ${fault}: back at all routers after ${Math.round(lost.backMs)} ms`);
      }
    }
  });
  if (options.lostRouters === 0) return measured;
  await onRig(options, 2, measured, async ({ fleet, load, plan }) => {
    for (let turn = 0; turn < options.lostRouters; turn += 1) {
      const lost = await playLostRouter(fleet, load, plan, turn);
      measured.lostRouters.push(lost);
      options.say(`router and cell lost together: neighbour after ${Math.round(lost.takeoverMs)} ms`);
    }
  });
  return measured;
}

/** Starts a fleet and its load, waits until it serves, plays, and ends all of it whatever happens. */
async function onRig(
  { folder, level, rate }: FailoverOptions,
  routers: number,
  measured: Measured,
  play: (rig: Rig) => Promise<void>,
): Promise<void> {
  const own = join(folder, `routers-${routers}`);
  mkdirSync(own);
  const fleet = await startBenchFleet({ folder: own, routers, level, tenants: TENANTS });
  const plan: LoadPlan = { routers: fleet.routers.map(({ url }) => url), tenants: fleet.tenants, rate };
  const load = startOpenLoad(plan);
  try {
    await untilSteady(load);
    await play({ fleet, load, plan });
    measured.rate = Math.min(measured.rate, load.rate());
  } finally {
    await Promise.all([load.stop(), fleet.close()]);
  }
  countServed(measured, fleet);
}

async function untilSteady(load: OpenLoad): Promise<void> {
  const lately = (): string[] => load.sent.slice(-STEADY).map(({ status, error }) => error ?? String(status));
  const steady = (): boolean => load.sent.length >= STEADY && !load.sent.slice(-STEADY).some(failed);
  await until('the fleet serves', steady, { limitMs: STEADY_LIMIT_MS }).catch((cause: unknown) => {
    throw new Error(`the fleet does not serve, it answers: ${[...new Set(lately())].join(', ')}`, { cause });
  });
}

function faultsOf(plays: Plays, fleet: BenchFleet): Fault[] {
  const times = (count: number, make: (turn: number) => Fault): Fault[] =>
    Array.from({ length: count }, (_, turn) => make(turn));
  return [
    ...times(plays.kills, (turn) => killOf(fleet, turn)),
    ...times(plays.freezes, (turn) => freezeOf(fleet, turn)),
    ...times(plays.blackHoles, () => blackHoleOf(fleet)),
    ...times(plays.unannounced, (turn) => unannouncedKillOf(fleet, turn)),
  ];
}

function countServed(measured: Measured, fleet: BenchFleet): void {
  const lines = [...fleet.cells.values()].flatMap((cell) => cell.served());
  const windows = (...kinds: FaultKind[]): Window[] =>
    measured.episodes
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ victim, fromMs, untilMs }) => ({ home: victim, fromMs, untilMs }));
  measured.third += servedByThird(lines, fleet.neighbourOf);
  measured.two += servedByTwo(lines, windows('kill', 'kill, pub/sub blocked'));
  measured.twoAfterSleep += servedByTwo(lines, windows('freeze'));
  measured.twoAfterHeal += servedByTwo(lines, windows('black hole'));
}

function progressOf(number: number, { kind, victim, takeoverMs, failures }: Episode): string {
  const { notInside, idempotentInside, postsInside, others } = failures;
  return (
    `${number}: ${kind} of ${victim}: neighbour after ${Math.round(takeoverMs)} ms; failed: ${notInside} not inside, ` +
    `${idempotentInside} GETs and ${postsInside} POSTs inside, ${others} of other cells`
  );
}
