// The measurement of the lanes, in rounds: nothing wrong, a neighbour with guests, one noisy tenant. Once without lanes.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import type { StubProcess } from '../stubs/stub-process.ts';
import { CAPACITY_RPS, KNEE, startLanesFleet, type LanesFleet } from './lanes-fleet.ts';
import { drawn, seen, watch, windowOf, within, type Seen } from './lanes-window.ts';
import { failed, startOpenLoad, type OpenLoad, type Sent } from './open-load.ts';
import { servedByThird } from './two-cells.ts';

export type LanesOptions = {
  /** An empty folder for files of the run. The caller removes it. */
  folder: string;
  rounds: number;
  /** How long each window is. */
  windowMs: number;
  /** Whether it is also played without lanes. */
  withoutLanes: boolean;
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

export type Round = {
  control: Seen;
  failover: Seen;
  /** Per second: guests that were served, and refused for want of room. */
  guestsServed: number;
  guestsRefused: number;
  /** Guest tenants of which not one request was served, and answers that are neither. */
  guestsStarved: number;
  guestsFailed: number;
  noisy: Seen;
  /** Per second, of the noisy tenant's own requests. */
  noisyServed: number;
  noisySent: number;
};

export type LanesMeasured = {
  rounds: Round[];
  third: number;
  /** The part of what was to be sent that was sent, of the load that fell furthest behind. */
  sentPart: number;
  withoutLanes: Seen | null;
};

/** What each cell's own tenants ask for, of what it can: twice this is more than it can do. */
const LOAD_PART = 0.6;
const NOISY_TIMES = 50;
/** Between a change and what is measured: the lanes follow within a second or two. */
const SETTLE_MS = 1_500;
/** More than ever comes: as good as no lanes. */
const NO_LIMIT = 100_000;

type Rig = { fleet: LanesFleet; own: OpenLoad; guests: OpenLoad };

/** Runs it all. Throws when the fleet does not serve or does not recover; whatever was started has ended then too. */
export async function runLanes(options: LanesOptions): Promise<LanesMeasured> {
  const measured: LanesMeasured = { rounds: [], third: 0, sentPart: 1, withoutLanes: null };
  await onRig(options, KNEE, async (rig) => {
    for (let turn = 0; turn < options.rounds; turn += 1) {
      const round = await playRound(rig, options.windowMs);
      measured.rounds.push(round);
      options.say(progressOf(turn + 1, round));
    }
    const rate = LOAD_PART * CAPACITY_RPS;
    measured.sentPart = Math.min(rig.own.rate(), rig.guests.rate()) / rate;
    const lines = rig.fleet.cells.flatMap((cell) => cell.served());
    measured.third = servedByThird(lines, rig.fleet.neighbourOf);
  });
  if (!options.withoutLanes) return measured;
  await onRig(options, NO_LIMIT, async (rig) => {
    await loseCell(rig);
    const { fromMs, untilMs, stallMs } = await windowOf(options.windowMs);
    // What is inside by now would take minutes: how long it took so far says enough.
    await rig.fleet.close();
    await rig.own.stop();
    measured.withoutLanes = seen(within(rig.own, fromMs, untilMs), stallMs);
  });
  return measured;
}

async function onRig(
  { folder }: LanesOptions,
  concurrency: number,
  play: (rig: Rig) => Promise<void>,
): Promise<void> {
  const own = join(folder, `concurrency-${concurrency}`);
  mkdirSync(own);
  const fleet = await startLanesFleet(own, concurrency);
  const load = (cell: StubProcess): OpenLoad =>
    startOpenLoad({
      routers: [fleet.router.url],
      tenants: drawn(fleet.tenantsOf(cell)),
      rate: LOAD_PART * CAPACITY_RPS,
    });
  const rig: Rig = { fleet, own: load(fleet.neighbour), guests: load(fleet.lost) };
  try {
    await untilServedBy(rig.guests, fleet.lost.id);
    await untilServedBy(rig.own, fleet.neighbour.id);
    await play(rig);
  } finally {
    await fleet.close();
    await Promise.all([rig.own.stop(), rig.guests.stop()]);
  }
}

async function playRound(rig: Rig, windowMs: number): Promise<Round> {
  const { fleet, own, guests } = rig;
  await pause(SETTLE_MS);
  const before = await watch([own], windowMs);
  await loseCell(rig);
  await pause(SETTLE_MS);
  const after = await watch([own, guests], windowMs);
  await fleet.lost.restart();
  await untilServedBy(guests, fleet.lost.id);
  return {
    control: seen(before.sent[0] ?? [], before.stallMs),
    failover: seen(after.sent[0] ?? [], after.stallMs),
    ...guestsOf(after.sent[1] ?? [], windowMs, fleet),
    ...(await playNoisy(rig, windowMs)),
  };
}

/** One tenant more at home in the neighbour, with fifty times what each of the others sends. */
async function playNoisy(
  { fleet, own }: Rig,
  windowMs: number,
): Promise<Pick<Round, 'noisy' | 'noisyServed' | 'noisySent'>> {
  await pause(SETTLE_MS);
  const tenants = fleet.tenantsOf(fleet.neighbour);
  const rate = (NOISY_TIMES * LOAD_PART * CAPACITY_RPS) / tenants.length;
  const noisy = startOpenLoad({ routers: [fleet.router.url], tenants: [fleet.noisy], rate });
  try {
    const { sent, stallMs } = await watch([own, noisy], windowMs);
    const [ofOwn = [], ofNoisy = []] = sent;
    const perSecond = 1_000 / windowMs;
    return {
      noisy: seen(ofOwn, stallMs),
      noisyServed: ofNoisy.filter((one) => !failed(one)).length * perSecond,
      noisySent: ofNoisy.length * perSecond,
    };
  } finally {
    await noisy.stop();
  }
}

/** Kills the cell, and resolves when its neighbour has served one of its tenants. */
async function loseCell({ fleet, guests }: Rig): Promise<void> {
  await fleet.lost.kill('SIGKILL');
  await untilServedBy(guests, fleet.neighbour.id);
}

async function untilServedBy(load: OpenLoad, cell: string): Promise<void> {
  const sinceMs = performance.now();
  await until(
    `${cell} serves`,
    () => load.sent.some((one) => one.startedAtMs >= sinceMs && one.cell === cell && !failed(one)),
    { limitMs: 60_000, everyMs: 25 },
  );
}

function guestsOf(sent: readonly Sent[], windowMs: number, { lost, tenantsOf }: LanesFleet) {
  const perSecond = 1_000 / windowMs;
  const served = sent.filter((one) => !failed(one));
  const refused = sent.filter(({ status, error }) => status === 503 && error === 'cell-overloaded');
  const lucky = new Set(served.map(({ tenant }) => tenant));
  return {
    guestsServed: served.length * perSecond,
    guestsRefused: refused.length * perSecond,
    guestsStarved: tenantsOf(lost).filter(({ tenant }) => !lucky.has(tenant)).length,
    guestsFailed: sent.length - served.length - refused.length,
  };
}

function progressOf(
  number: number,
  { control, failover, guestsServed, guestsRefused, noisy }: Round,
): string {
  const ms = (one: Seen): string => `${Math.round(one.p99Ms)} ms`;
  return (
    `${number}: p99 at home ${ms(control)} alone, ${ms(failover)} with guests (${Math.round(guestsServed)}/s served, ` +
    `${Math.round(guestsRefused)}/s refused), ${ms(noisy)} beside a noisy tenant; ` +
    `failed at home: ${control.failed}, ${failover.failed}, ${noisy.failed}`
  );
}
