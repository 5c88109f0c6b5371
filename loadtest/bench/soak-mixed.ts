// The long part: mixed load with everything that goes wrong, while the router's memory and descriptors are watched.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startSoakFleet, type SoakFleet } from './soak-fleet.ts';
import { descriptorsAtRest, descriptorsLeft, leftInside, type Left } from './soak-left.ts';
import { startSoakLoad, type Counts } from './soak-load.ts';
import type { Descriptors } from './soak-process.ts';
import { medianWithin, startSampler, type Samples } from './soak-samples.ts';
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
  /** Event streams and WebSockets that stay open: how often one ended, by how. */
  streams: Record<string, number>;
  samples: Samples;
  /** MB, once the load had ended. */
  restRssMb: number;
  descriptors: { atStart: Descriptors; atEnd: Descriptors };
  left: Left;
};

/** A dwell as short as it gets: what is watched is not how long tenants stay away. */
const ENV = { MIN_DWELL_MS: '1000' };
/** So many tenants of each home keep a WebSocket and an event stream open. */
const STREAMS_EVERY = 10;
const SAY_EVERY_MS = 30_000;

/** Throws when a cell that is lost does not come back; whatever was started has ended then too. */
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

async function measure(
  fleet: SoakFleet,
  { rate, loadMs, turnEveryMs, restMs, say }: MixedOptions,
): Promise<MixedMeasured> {
  const { router, tenants } = fleet;
  await router.metrics();
  const atStart = await descriptorsAtRest(router);
  const weather = new Weather();
  const sampler = startSampler(router);
  const streaming = tenants.filter((_, index) => index % STREAMS_EVERY === 0);
  const streams = startStreams({ routers: [router.url], tenants, rate: 0 }, streaming);
  const load = startSoakLoad(fleet, weather, rate);
  const turns = startTurns(fleet, weather, turnEveryMs, say);
  const telling = setInterval(() => say(progressOf(sampler.samples, load.counts)), SAY_EVERY_MS);
  try {
    await pause(loadMs);
    await turns.stop();
  } finally {
    clearInterval(telling);
    await Promise.all([load.stop(), streams.stop()]);
    await sampler.stop();
  }
  const ends = streams.ends.map(({ kind, how }) => `${kind}, ${how}`);
  const refusals = streams.refusals.map(({ error }) => `refused: ${error}`);
  const left = await leftInside(router);
  const atEnd = await descriptorsLeft(router, atStart);
  const rest = startSampler(router);
  await pause(restMs);
  await rest.stop();
  return {
    loadMs,
    rate,
    counts: load.counts,
    turns: turns.played,
    streams: countsOf([...ends, ...refusals]),
    samples: sampler.samples,
    restRssMb: medianWithin(rest.samples.rss, 0, Number.POSITIVE_INFINITY),
    descriptors: { atStart, atEnd },
    left,
  };
}

function countsOf(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function progressOf({ rss, heap, descriptors }: Samples, { sent, wrong }: Counts): string {
  const failures = Object.values(wrong).reduce((sum, count) => sum + count, 0);
  const last = (samples: Samples['rss']): number => Math.round(samples.at(-1)?.value ?? Number.NaN);
  return `${sent} sent, ${failures} wrong; RSS ${last(rss)} MB, heap ${last(heap)} MB, ${last(descriptors)} descriptors`;
}
