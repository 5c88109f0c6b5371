// The whole measurement, in order: every kind of change several times, without a fault and with one; then a cell joins and leaves.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fleet } from '../../router/fleet/fleet.ts';
import { BUCKETS } from '../../router/placement/hash.ts';
import type { RunningRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import { playKilledRouter, playLongRequest, playLostRedis, playSleepingRouter } from './handover-faults.ts';
import {
  CIRCLE,
  FIRST_FILE,
  MEMBERS,
  NEWCOMER,
  startHandoverFleet,
  type FleetFile,
  type HandoverFleet,
  type Tenant,
} from './handover-fleet.ts';
import type { Kind } from './handover-kinds.ts';
import { playOne, type Play } from './handover-play.ts';
import {
  loseCell,
  playCutOver,
  playDrain,
  playDrainExpiry,
  playEvacuation,
  playFailback,
  playNeighbours,
  playNothing,
  playPinExpiry,
  playPins,
  playRestore,
  untilNeighbours,
  type Act,
} from './handover-plays.ts';
import { runningRouters, untilCalm, type HandoverRig } from './handover-rig.ts';
import { atBothHomes, atHomeAlone, atHomeOrNeighbour, type MayServe } from './may-serve.ts';
import { countIn } from './histogram.ts';
import { failed, startOpenLoad, type LoadPlan } from './open-load.ts';
import { startStreams } from './stream-clients.ts';
import { tenantsAtThird, tenantsAtTwo } from './turn-cells.ts';

export type HandoverOptions = {
  /** An empty folder for files of the run. The caller removes it. */
  folder: string;
  /** Requests a second. */
  rate: number;
  /** How often each kind is played. */
  plays: number;
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

/** A play, and what the access logs say of it: tenants that were served by two cells at once, and by a third one. */
export type CountedPlay = Play & { two: number; third: number };

export type HandoverMeasured = {
  plays: CountedPlay[];
  /** Requests a second that were really sent. */
  rate: number;
  /** The longest that this process, which is all clients, was held up. */
  stallMs: number;
};

/** Few enough for each of them to be asked for often. */
const TENANTS = 120;
const STREAM_TENANTS_PER_HOME = 2;
/** Good answers in a row before anything is measured. */
const STEADY = 300;
/** A store that began empty decides nothing before all routers may have beaten. */
const WARM_UP_MS = 3_500;
/** In so many parts a new cell takes its buckets over. */
const PARTS = 4;

type Run = { rig: HandoverRig; options: HandoverOptions; plays: { play: Play; mayServe: MayServe }[] };

/** Each begins and ends with everybody at home. */
const WITHOUT_FAULT: readonly (readonly [kind: Kind, act: Act])[] = [
  ['no change', playNothing],
  ['drain 0→10→50→100→50→0 %', playDrain],
  ['pin and unpin', playPins],
  ['expiry of a drain', playDrainExpiry],
  ['expiry of a pin', playPinExpiry],
];
const WITH_FAULT: readonly (readonly [kind: Kind, act: Act])[] = [
  ['a request stays inside: undone', playLongRequest],
  ['a router is killed in closing', playKilledRouter],
  ['a router is asleep', playSleepingRouter],
  ['Redis is lost in closing', playLostRedis],
];

/** Runs it all. Throws when the fleet does not serve or does not recover; whatever was started has ended then too. */
export async function runHandovers(options: HandoverOptions): Promise<HandoverMeasured> {
  const fleet = await startHandoverFleet(options.folder, TENANTS);
  const plan: LoadPlan = {
    routers: fleet.routers.map(({ url }) => url),
    tenants: fleet.tenants,
    rate: options.rate,
  };
  const load = startOpenLoad(plan);
  const streams = startStreams(plan, streamTenants(fleet));
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const run: Run = { rig: { fleet, load, plan, streams, audit: new Map() }, options, plays: [] };
  try {
    await untilSteady(run);
    delay.enable();
    await playAll(run);
    delay.disable();
    const rate = load.rate();
    return { plays: counted(run), rate, stallMs: delay.max / 1e6 };
  } finally {
    await Promise.all([load.stop(), streams.stop(), fleet.close()]);
  }
}

async function playAll(run: Run): Promise<void> {
  for (let turn = 0; turn < run.options.plays; turn += 1) {
    for (const [kind, act] of WITHOUT_FAULT) await play(run, kind, turn, act);
    await play(run, 'evacuate', turn, playEvacuation);
    await play(run, 'restore', turn, playRestore);
    await loseCell(run.rig, homeOf(turn));
    await play(run, 'failback after kill -9', turn, playFailback);
    for (const [kind, act] of WITH_FAULT) await play(run, kind, turn, act);
  }
  // There and back.
  for (const turn of [0, 1]) await play(run, 'neighbour by the file', turn, playNeighbours, atHomeAlone);
  await playJoining(run);
}

/** A cell joins, and takes its buckets over part by part; then it leaves, and gives each heir its own. */
async function playJoining(run: Run): Promise<void> {
  const joined = { circle: [...CIRCLE, NEWCOMER], generations: [{ add: MEMBERS }, { add: [NEWCOMER] }] };
  await putInForce(run.rig, joined);
  for (let part = 0; part < PARTS; part += 1) {
    const size = BUCKETS / PARTS;
    const range: [number, number] = [part * size, (part + 1) * size - 1];
    await play(run, 'cut-over to a new cell', part, playCutOver([range], NEWCOMER), atBothHomes);
  }
  await putInForce(run.rig, {
    ...FIRST_FILE,
    former: [NEWCOMER],
    generations: [{ add: MEMBERS }, { add: [NEWCOMER], settled: true }, { remove: [NEWCOMER] }],
  });
  for (const [turn, heir] of MEMBERS.entries()) {
    await play(run, 'cut-over from a leaving one', turn, playCutOver([[0, BUCKETS - 1]], heir), atBothHomes);
  }
}

async function putInForce({ fleet }: HandoverRig, file: FleetFile): Promise<void> {
  const { digest } = fleet.write(file);
  const isInForce = ({ logs }: RunningRouter): boolean =>
    logs.some((line) => line.msg === 'fleet in force' && line['digest'] === digest);
  await until('every router has the file', () => runningRouters(fleet).every(isInForce), { limitMs: 60_000 });
  await untilNeighbours({ fleet });
  await untilCalm(fleet);
}

async function play(
  run: Run,
  kind: Kind,
  turn: number,
  act: Act,
  allowed: (fleet: Fleet) => MayServe = atHomeOrNeighbour,
): Promise<void> {
  const { rig, options, plays } = run;
  const written = rig.fleet.written();
  const one = await playOne(rig, { kind, home: homeOf(turn), turn }, act);
  plays.push({ play: one, mayServe: allowed(written) });
  options.say(progressOf(plays.length, one));
}

function homeOf(turn: number): string {
  return CIRCLE[turn % CIRCLE.length] ?? '';
}

function counted({ rig, plays }: Run): CountedPlay[] {
  const lines = [...rig.fleet.cells.values()].flatMap((cell) => cell.served());
  return plays.map(({ play, mayServe }) => ({
    ...play,
    two: tenantsAtTwo(lines, play.turns),
    third: tenantsAtThird(lines, play, mayServe),
  }));
}

function streamTenants({ tenants }: HandoverFleet): Tenant[] {
  return MEMBERS.flatMap((home) =>
    tenants.filter((one) => one.home === home).slice(0, STREAM_TENANTS_PER_HOME),
  );
}

async function untilSteady({ rig: { load, streams, fleet } }: Run): Promise<void> {
  const lately = (): string[] => load.sent.slice(-STEADY).map(({ status, error }) => error ?? String(status));
  const steady = (): boolean =>
    load.sent.length >= STEADY &&
    !load.sent.slice(-STEADY).some(failed) &&
    streams.open.size === 2 * streamTenants(fleet).length;
  await until('the fleet serves', steady, { limitMs: 30_000 }).catch((cause: unknown) => {
    throw new Error(`the fleet does not serve, it answers: ${[...new Set(lately())].join(', ')}`, { cause });
  });
  await pause(WARM_UP_MS);
}

function progressOf(number: number, { kind, home, failed, apart, turns, holds, reasons }: Play): string {
  const ends = turns.map(({ home, outcome, closingMs, endMs }) => {
    const tookMs = endMs === null ? '' : ` ${Math.round(endMs - closingMs)} ms`;
    return `${home} ${outcome}${tookMs}`;
  });
  const why = failed + apart > 0 ? ` (${JSON.stringify(reasons)})` : '';
  return `${number}: ${kind} of ${home}: ${ends.join(', ')}; held ${countIn(holds)}; failed ${failed}, apart ${apart}${why}`;
}
