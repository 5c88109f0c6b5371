// The long part: mixed load with everything that goes wrong, while the router's memory and descriptors are watched.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { RunningRouter } from '../rig/router.ts';
import { startSoakFleet, type SoakFleet } from './soak-fleet.ts';
import { descriptorsAtRest, descriptorsLeft, leftInside, type Left } from './soak-left.ts';
import { startSoakLoad, type Counts } from './soak-load.ts';
import type { Descriptors } from './soak-process.ts';
import { medianWithin, startSampler, type Samples } from './soak-samples.ts';
import { judgeStreams, type StreamCounts } from './soak-streams.ts';
import { startTurns, type Turns } from './soak-turns.ts';
import { Weather } from './soak-weather.ts';
import { startStreams } from './stream-clients.ts';

export type MixedOptions = {
  /** An empty folder for files of the run. The caller removes it. */
  folder: string;
  /** Requests a second. */
  rate: number;
  /** How long the load goes on. */
  loadMs: number;
  /** How far apart the beginnings of two turns are, of a cell lost and another one drained. */
  turnEveryMs: number;
  /** How long the memory is looked at once the load has ended. */
  restMs: number;
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

export type MixedMeasured = {
  loadMs: number;
  rate: number;
  counts: Counts;
  turns: Turns['played'];
  /** Of event streams and WebSockets that are open all the time. */
  streams: StreamCounts;
  samples: Samples;
  /** MB, once the load had ended. */
  restRssMb: number;
  descriptors: { atStart: Descriptors; atEnd: Descriptors };
  left: Left;
};

/** A dwell as short as it gets: what is watched is not how long tenants stay away. */
const ENV = { MIN_DWELL_MS: '1000' };
/** One tenant of so many keeps a WebSocket and an event stream open. */
const STREAMS_EVERY = 10;
const SAY_EVERY_MS = 30_000;

/** Throws when the router dies, or a cell that is lost does not come back; whatever was started has ended then too. */
export async function runMixed(options: MixedOptions): Promise<MixedMeasured> {
  const folder = join(options.folder, 'mixed');
  mkdirSync(folder);
  const fleet = await startSoakFleet(folder, ENV);
  try {
    return await measure(fleet, options);
  } finally {
    await fleet.close();
  }
}

async function measure(fleet: SoakFleet, options: MixedOptions): Promise<MixedMeasured> {
  const { router } = fleet;
  const { loadMs, rate, restMs } = options;
  await router.metrics();
  const atStart = await descriptorsAtRest(router);
  const played = await playLoad(fleet, options);
  const left = await leftInside(router);
  const atEnd = await descriptorsLeft(router, atStart);
  const rest = startSampler(router);
  await pause(restMs);
  await rest.stop();
  const restRssMb = medianWithin(rest.samples.rss, 0, Number.POSITIVE_INFINITY);
  return { loadMs, rate, ...played, restRssMb, descriptors: { atStart, atEnd }, left };
}

/** The load, from its beginning until all that it had open has ended. */
async function playLoad(
  fleet: SoakFleet,
  { rate, loadMs, turnEveryMs, say }: MixedOptions,
): Promise<Pick<MixedMeasured, 'counts' | 'turns' | 'streams' | 'samples'>> {
  const { router, tenants } = fleet;
  const weather = new Weather();
  const sampler = startSampler(router);
  const streaming = tenants.filter((_, index) => index % STREAMS_EVERY === 0);
  const streams = startStreams({ routers: [router.url], tenants: streaming, rate: 0 }, streaming);
  const load = startSoakLoad(fleet, weather, rate);
  const turns = startTurns(fleet, weather, turnEveryMs, say);
  const telling = setInterval(() => say(progressOf(sampler.samples, load.counts)), SAY_EVERY_MS);
  try {
    await Promise.race([pause(loadMs, undefined, { ref: false }), turns.ended, untilDead(router)]);
    await turns.stop();
  } finally {
    clearInterval(telling);
    await Promise.all([load.stop(), streams.stop()]);
    await sampler.stop();
  }
  return {
    counts: load.counts,
    turns: turns.played,
    streams: judgeStreams(streams, tenants, weather),
    samples: sampler.samples,
  };
}

/** Rejects when the router's process has ended. */
async function untilDead({ child }: RunningRouter): Promise<never> {
  await child.exited;
  throw new Error(`the router ended: ${child.stderr()}`);
}

function progressOf({ rss, heap, descriptors }: Samples, { sent, wrong }: Counts): string {
  const failures = Object.values(wrong).reduce((sum, count) => sum + count, 0);
  const last = (samples: Samples['rss']): number => Math.round(samples.at(-1)?.value ?? Number.NaN);
  return `${sent} sent, ${failures} wrong; RSS ${last(rss)} MB, heap ${last(heap)} MB, ${last(descriptors)} descriptors`;
}
