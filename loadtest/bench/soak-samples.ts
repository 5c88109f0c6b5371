// Memory and descriptors of a router over time, sampled while something else goes on.
import type { RunningRouter } from '../rig/router.ts';
import { countOf, descriptorsOf, rssOf } from './soak-process.ts';
import { median } from './statistics.ts';

/** `atMs`: since the sampler's start. */
export type Sample = { atMs: number; value: number };

export type Samples = {
  /** MB. */
  rss: Sample[];
  /** Used heap, and memory of buffers outside it, in MB. */
  heap: Sample[];
  external: Sample[];
  /** How many descriptors were open. */
  descriptors: Sample[];
};

const EVERY_MS = 1_000;
/** A scrape is a request to the router, too: so seldom that it does not count. */
const SCRAPE_EVERY_MS = 5_000;

/** Samples until it is stopped. The samples may be read while it runs. */
export function startSampler(router: RunningRouter): { samples: Samples; stop(): Promise<void> } {
  const { pid } = router.child;
  const samples: Samples = { rss: [], heap: [], external: [], descriptors: [] };
  const startMs = performance.now();
  let scrape = Promise.resolve();
  const look = (): void => {
    // Whoever waits for the run is told of its end.
    if (!router.child.running) return;
    const atMs = performance.now() - startMs;
    samples.rss.push({ atMs, value: rssOf(pid) });
    samples.descriptors.push({ atMs, value: countOf(descriptorsOf(pid)) });
  };
  const ask = async (): Promise<void> => {
    const text = await router.metrics();
    const atMs = performance.now() - startMs;
    samples.heap.push({ atMs, value: metricIn(text, 'nodejs_heap_size_used_bytes') / 1e6 });
    samples.external.push({ atMs, value: metricIn(text, 'nodejs_external_memory_bytes') / 1e6 });
  };
  const timers = [
    setInterval(look, EVERY_MS),
    setInterval(() => void (scrape = ask().catch(() => undefined)), SCRAPE_EVERY_MS),
  ];
  return {
    samples,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await scrape;
    },
  };
}

/** The sum over all series of a metric; 0 where it is declared and has none now, NaN where there is no such metric. */
export function metricIn(text: string, name: string): number {
  const lines = text.split('\n');
  if (!lines.some((line) => line.startsWith(`# TYPE ${name} `))) return Number.NaN;
  return lines
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** The middle one of the samples in a span of time. NaN: there are none. */
export function medianWithin(samples: readonly Sample[], fromMs: number, untilMs: number): number {
  return median(valuesWithin(samples, fromMs, untilMs));
}

/** The least: of a heap that is what is left after a collection. NaN: there are none. */
export function leastWithin(samples: readonly Sample[], fromMs: number, untilMs: number): number {
  const values = valuesWithin(samples, fromMs, untilMs);
  return values.length === 0 ? Number.NaN : Math.min(...values);
}

function valuesWithin(samples: readonly Sample[], fromMs: number, untilMs: number): number[] {
  return samples.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs).map(({ value }) => value);
}
