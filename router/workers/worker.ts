// A worker's process: it is told all that the primary knows, serves requests by that, and tells what they meet.
import '../../node-version.mjs';
import { readConfig } from '../config.ts';
import { DataPlane } from '../data-plane.ts';
import { isDeepStrictEqual } from 'node:util';
import type { HomeCount } from '../health/load.ts';
import { Names } from '../names.ts';
import { createLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { FromWorker, StartFailure, ToWorker } from './messages.ts';
import { Mirror } from './mirror.ts';
import { Sightings } from './sightings.ts';

/** How often the primary is told what was counted, where that has changed. */
const COUNTS_MS = 1_000;

// A terminal's Ctrl-C, and a supervisor that signals the whole group: when to end is the primary's to say. Without it the
// channel closes, and Node ends this process.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

const config = readConfig();
const sightings = new Sightings((seen) => tell({ kind: 'seen', seen }));
const deliveries = new Map<number, () => void>();
let mirror: Mirror | null = null;
let plane: DataPlane | null = null;
let told: HomeCount[] = [];
let deliveriesBegun = 0;

process.on('message', (message) => take(message as ToWorker));
tell({ kind: 'hello' });

function tell(message: FromWorker): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

function take(message: ToWorker): void {
  if (message.kind === 'begin') void begin(message);
  else if (message.kind === 'news') mirror?.take(message.news);
  else if (message.kind === 'ping') tell({ kind: 'pong' });
  else if (message.kind === 'inside') isInside(message.id, message.cell);
  else if (message.kind === 'metrics') void measured(message.id);
  else if (message.kind === 'delivered') delivered(message.id);
  else if (message.kind === 'drain') plane?.startDraining();
  else void close();
}

async function begin(message: Extract<ToWorker, { kind: 'begin' }>): Promise<void> {
  const log = createLog(config).child({ worker: message.worker });
  mirror = new Mirror(message.news, message, {
    sightings,
    deliverRule: async (home, cell) => await deliver(home, cell),
    confirmHeld: (home, epoch) => tell({ kind: 'held', home, epoch }),
  });
  const [names, metrics] = [new Names(config.DNS_TTL_MS), new Metrics()];
  plane = new DataPlane({ config, fleets: mirror, health: mirror, names, metrics, log });
  try {
    tell({ kind: 'listening', address: await plane.listen() });
    setInterval(() => tellCounts(), COUNTS_MS);
  } catch (error) {
    tell({ kind: 'failed', failure: failureOf(error) });
  }
}

/** Resolves when the primary has brought the rule, or could not. */
async function deliver(home: string, cell: string): Promise<void> {
  const id = (deliveriesBegun += 1);
  const done = new Promise<void>((resolve) => deliveries.set(id, resolve));
  tell({ kind: 'deliver', id, home, cell });
  await done;
}

function delivered(id: number): void {
  deliveries.get(id)?.();
  deliveries.delete(id);
}

/** What broke before it was asked is told before it answers. */
function isInside(id: number, cell: string): void {
  sightings.flush();
  tell({ kind: 'isInside', id, inside: mirror?.inside(cell) ?? [] });
}

async function measured(id: number): Promise<void> {
  const metrics = (await plane?.metrics().getMetricsAsJSON()) ?? [];
  tell({ kind: 'measured', id, metrics });
}

function tellCounts(): void {
  const counts = [...(plane?.counts() ?? [])];
  if (isDeepStrictEqual(counts, told)) return;
  told = counts;
  tell({ kind: 'counts', counts });
}

async function close(): Promise<void> {
  await plane?.close();
  tellCounts();
  sightings.flush();
  // What was told last is to arrive before the channel closes.
  process.send?.({ kind: 'pong' } satisfies FromWorker, undefined, undefined, () => process.exit(0));
}

function failureOf(error: unknown): StartFailure {
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  return { code: code ?? null, port: port ?? null, message };
}
