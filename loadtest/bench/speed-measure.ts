// One measurement: a load on one contender, what that cost its process, and whether every answer was right.
import { readFileSync, truncateSync } from 'node:fs';
import type { Target } from './contenders/launch.ts';
import {
  both,
  checkAnswers,
  checkBytes,
  NOTHING,
  sampleAnswers,
  WrongAnswer,
  type Checked,
} from './speed-check.ts';
import { CONNECTIONS, type Drive, type Load, type Loaded, type Mark } from './speed-driver.ts';
import { corePart, cpuMsOf, othersPart, readMoment, rssMbOf, type Moment } from './speed-proc.ts';

export type Sample = {
  requests: number;
  durationMs: number;
  /** Of the contender's process, user and system, for each request that was completed. */
  cpuUs: number;
  /** Per second. */
  rps: number;
  /** Of the contender's core, 0–1, while the load ran in full. */
  coreBusy: number;
  p50Ms: number;
  p99Ms: number;
  rssMb: number;
  /** What others took of the machine meanwhile, 0–1. */
  others: number;
  /** Answers whose bodies were compared, of the load itself and beside it. */
  compared: number;
  /** Of the connections that were new, this part (0–1) went on with an earlier TLS session; null: not counted. */
  resumed: number | null;
  /** Others took too much, and it was not repeated any more. */
  disturbed: boolean;
};

/** Before and after each load. */
const CHECKED_ANSWERS = 20;
/** Of a log that writes in pieces, the last ones may still be on their way. */
const LOGGED_LEAST = 0.97;
const LINE_END = 10;

/** `idleMsPerS`: CPU time that it uses without any request, which is not counted. Throws `WrongAnswer`. */
export async function measure(drive: Drive, load: Load, idleMsPerS = 0): Promise<Sample> {
  const { target, workload, tenants } = load;
  const before = await checkAnswers(target, workload, tenants, CHECKED_ANSWERS);
  let inside: { from: Moment; to: Moment } | null = null;
  const from = readMoment();
  const cpuFromMs = cpuMsOf(target.pid);
  const { loaded, sampled } = await run(drive, load, {
    began: () => {
      const now = readMoment();
      inside = { from: now, to: now };
    },
    ends: () => {
      if (inside !== null) inside = { from: inside.from, to: readMoment() };
    },
  });
  const cpuMs = cpuMsOf(target.pid) - cpuFromMs;
  const to = readMoment();
  const after = await checkAnswers(target, workload, tenants, CHECKED_ANSWERS);
  checkLoaded(load, loaded, both(both(before, sampled), after));
  const requests = loaded.requests + sampled.answers;
  checkLog(target, requests);
  const idleMs = (idleMsPerS * (to.atMs - from.atMs)) / 1_000;
  return {
    requests,
    durationMs: loaded.durationMs,
    cpuUs: ((cpuMs - idleMs) * 1_000) / requests,
    rps: (loaded.requests * 1_000) / loaded.durationMs,
    coreBusy: busyOf(load, inside, cpuMs / loaded.durationMs),
    p50Ms: loaded.p50Ms,
    p99Ms: loaded.p99Ms,
    rssMb: rssMbOf(target.pid),
    others: othersPart(from, to),
    compared: loaded.compared + before.answers + sampled.answers + after.answers,
    resumed: loaded.resumed === null ? null : loaded.resumed / loaded.requests,
    disturbed: false,
  };
}

async function run(drive: Drive, load: Load, mark: Mark): Promise<{ loaded: Loaded; sampled: Checked }> {
  if (!drive.sampled) return { loaded: await drive.run(load, mark), sampled: NOTHING };
  const { target, workload, tenants } = load;
  const beside = sampleAnswers(target, workload, tenants);
  try {
    const loaded = await drive.run(load, mark);
    return { loaded, sampled: await beside.stop() };
  } finally {
    await beside.stop().catch(() => undefined);
  }
}

/** Where nothing is pinned no core is the contender's: what its process used of one is all there is to say. */
function busyOf({ machine }: Load, inside: { from: Moment; to: Moment } | null, ownPart: number): number {
  const { proxy } = machine.cores;
  return proxy === null || inside === null ? ownPart : corePart(inside.from, inside.to, proxy);
}

function checkLoaded({ target, workload }: Load, loaded: Loaded, { sizes }: Checked): void {
  const { requests, bytes, bodyBytes, failed } = loaded;
  const label = `${target.label}, ${workload.label}`;
  if (requests === 0) throw new WrongAnswer(`${label}: not one request was completed`);
  if (failed > 0) throw new WrongAnswer(`${label}: ${failed} of ${requests} requests failed`);
  if (bytes !== null) checkBytes(label, { requests, bytes }, sizes, CONNECTIONS);
  if (bodyBytes !== null && bodyBytes !== requests * workload.answerBytes) {
    throw new WrongAnswer(`${label}: ${requests} bodies can not be ${bodyBytes} bytes together`);
  }
}

/** A log that is on and does not write costs nothing and means nothing. Empties it, too. */
function checkLog({ logFile, label }: Target, requests: number): void {
  if (logFile === null) return;
  const log = readFileSync(logFile);
  truncateSync(logFile);
  let lines = 0;
  for (let at = log.indexOf(LINE_END); at !== -1; at = log.indexOf(LINE_END, at + 1)) lines += 1;
  if (lines < requests * LOGGED_LEAST) {
    throw new WrongAnswer(`${label}: ${lines} lines in its log, ${requests} requests`);
  }
}
