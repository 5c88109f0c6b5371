// What is played, in order: every kind of change several times, without a fault and with one; then a cell joins and leaves.
import type { Fleet } from '../../router/fleet/fleet.ts';
import { BUCKETS } from '../../router/placement/hash.ts';
import type { RunningRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import { playKilledRouter, playLongRequest, playLostRedis, playSleepingRouter } from './handover-faults.ts';
import { CIRCLE, FIRST_FILE, MEMBERS, NEWCOMER, type FleetFile } from './handover-fleet.ts';
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
import { countIn } from './histogram.ts';
import { atBothHomes, atHomeAlone, atHomeOrNeighbour, type MayServe } from './may-serve.ts';

export type Schedule = {
  /** How often each kind is played. */
  plays: number;
  /** Those alone. */
  kinds: readonly Kind[];
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

export type Run = {
  rig: HandoverRig;
  schedule: Schedule;
  /** What was played so far, and who may have served whom in it. */
  plays: { play: Play; mayServe: MayServe }[];
};

/** In so many parts a new cell takes its buckets over. */
const PARTS = 4;

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

const JOINING: readonly Kind[] = ['cut-over to a new cell', 'cut-over from a leaving one'];

/** Plays all of the schedule. Rejects where the fleet does not recover from a play. */
export async function playAll(run: Run): Promise<void> {
  const { plays, kinds } = run.schedule;
  for (let turn = 0; turn < plays; turn += 1) {
    for (const [kind, act] of WITHOUT_FAULT) await play(run, kind, turn, act);
    await playBothWays(run, turn);
    await playLoss(run, turn);
    for (const [kind, act] of WITH_FAULT) await play(run, kind, turn, act);
  }
  // There and back.
  for (const turn of [0, 1]) await play(run, 'neighbour by the file', turn, playNeighbours, atHomeAlone);
  if (JOINING.some((kind) => kinds.includes(kind))) await playJoining(run);
}

/** One can not be played without the other. */
async function playBothWays(run: Run, turn: number): Promise<void> {
  if (!run.schedule.kinds.includes('evacuate')) return;
  await play(run, 'evacuate', turn, playEvacuation);
  await play(run, 'restore', turn, playRestore);
}

/** The loss of the cell is a failover, and no part of what is measured. */
async function playLoss(run: Run, turn: number): Promise<void> {
  if (!run.schedule.kinds.includes('failback after kill -9')) return;
  await loseCell(run.rig, homeOf(turn));
  await play(run, 'failback after kill -9', turn, playFailback);
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
  const { rig, schedule, plays } = run;
  if (!schedule.kinds.includes(kind)) return;
  const written = rig.fleet.written();
  const one = await playOne(rig, { kind, home: homeOf(turn), turn }, act);
  plays.push({ play: one, mayServe: allowed(written) });
  schedule.say(progressOf(plays.length, one));
}

function homeOf(turn: number): string {
  return CIRCLE[turn % CIRCLE.length] ?? '';
}

function progressOf(number: number, { kind, home, failed, apart, turns, holds, reasons }: Play): string {
  const ends = turns.map(({ home, outcome, closingMs, endMs }) => {
    const tookMs = endMs === null ? '' : ` ${Math.round(endMs - closingMs)} ms`;
    return `${home} ${outcome}${tookMs}`;
  });
  const why = failed + apart > 0 ? ` (${JSON.stringify(reasons)})` : '';
  return `${number}: ${kind} of ${home}: ${ends.join(', ')}; held ${countIn(holds)}; failed ${failed}, apart ${apart}${why}`;
}
