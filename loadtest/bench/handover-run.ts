// The whole measurement of handovers: a fleet under load, everything played on it, and what its access logs say of each play.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import { MEMBERS, startHandoverFleet, type HandoverFleet, type Tenant } from './handover-fleet.ts';
import type { Play } from './handover-play.ts';
import { playAll, type Run, type Schedule } from './handover-schedule.ts';
import { failed, startOpenLoad, type LoadPlan } from './open-load.ts';
import { startStreams } from './stream-clients.ts';
import { tenantsAtThird, tenantsAtTwo } from './turn-cells.ts';

export type HandoverOptions = Schedule & {
  /** An empty folder for files of the run. The caller removes it. */
  folder: string;
  /** Requests a second. */
  rate: number;
};

/** A play, and what the access logs say of it: tenants that were served by two cells at once, and by a third one. */
export type CountedPlay = Play & { two: number; third: number };

export type HandoverMeasured = {
  plays: CountedPlay[];
  /** Requests a second that were really sent. */
  rate: number;
  /** The longest that this process, which is all clients, was held up. */
  stallMs: number;
  /** Why not all of it was played; null: all was. */
  brokenOff: string | null;
};

/** Few enough for each of them to be asked for often. */
const TENANTS = 120;
const STREAM_TENANTS_PER_HOME = 2;
/** Good answers in a row before anything is measured. */
const STEADY = 300;
/** A store that began empty decides nothing before all routers may have beaten. */
const WARM_UP_MS = 3_500;

/**
 * Runs it all. Throws when the fleet does not even serve. Where it does not recover from a play, what was measured until
 * then is the answer. Whatever was started has ended.
 */
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
  const rig = { fleet, load, plan, streams, audit: new Map() };
  const run: Run = { rig, schedule: options, plays: [] };
  try {
    await untilSteady(run);
    delay.enable();
    const brokenOff = await playAll(run).then(() => null, wordsOf);
    delay.disable();
    const rate = load.rate();
    return { plays: counted(run), rate, stallMs: delay.max / 1e6, brokenOff };
  } finally {
    await Promise.all([load.stop(), streams.stop(), fleet.close()]);
  }
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

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
