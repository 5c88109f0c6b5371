// A worker's process: it is told all that the primary knows, serves requests by that, and tells what they meet.
import '../../node-version.mjs';
import { isDeepStrictEqual } from 'node:util';
import { readConfig } from '../config.ts';
import { DataPlane } from '../data-plane.ts';
import type { HomeCount } from '../health/load.ts';
import { CellNetwork } from '../network.ts';
import { settleMemory } from '../settle-memory.ts';
import { createLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { FromWorker, StartFailure, ToWorker } from './messages.ts';
import { Mirror } from './mirror.ts';
import { Sightings } from './sightings.ts';
import { Told } from './told.ts';

type Begin = Extract<ToWorker, { kind: 'begin' }>;
type Serving = { told: Told; mirror: Mirror; network: CellNetwork; plane: DataPlane };

/** How often the primary is told what was counted, where that has changed. */
const COUNTS_MS = 1_000;

// A terminal's Ctrl-C, and a supervisor that signals the whole group: when to end is the primary's to say. Without it the
// channel closes, and Node ends this process.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

const config = readConfig();
const sightings = new Sightings((seen) => tell({ kind: 'seen', seen }));
/** Rules that are being brought, by the number of the question. */
const deliveries = new Map<number, () => void>();
let deliveriesBegun = 0;
let serving: Serving | null = null;
let counted: HomeCount[] = [];

process.on('message', (message) => take(message as ToWorker));
tell({ kind: 'hello' });

function tell(message: FromWorker, sent: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, sent);
}

function take(message: ToWorker): void {
  if (message.kind === 'begin') void begin(message);
  else if (message.kind === 'news') serving?.told.take(message.news);
  else if (message.kind === 'ping') tell({ kind: 'pong' });
  else if (message.kind === 'inside') tellInside(message.id, message.cell);
  else if (message.kind === 'metrics') void tellMetrics(message.id);
  else if (message.kind === 'delivered') delivered(message.id);
  else if (message.kind === 'drain') serving?.plane.startDraining();
  else void close();
}

async function begin({ worker, steadyOriginMs, news }: Begin): Promise<void> {
  const log = createLog(config).child({ worker });
  const told = new Told(news, steadyOriginMs);
  const confirmHeld = (home: string, epoch: number): void => tell({ kind: 'held', home, epoch });
  const mirror = new Mirror(told, { sightings, deliverRule, confirmHeld });
  try {
    const metrics = new Metrics();
    const network = new CellNetwork(config, log, metrics);
    network.follow(told);
    const plane = new DataPlane({ config, fleets: told, health: mirror, network, metrics, log });
    serving = { told, mirror, network, plane };
    network.watch();
    settleMemory();
    tell({ kind: 'listening', address: await plane.listen() });
    setInterval(() => tellCounts(), COUNTS_MS);
  } catch (error) {
    tell({ kind: 'failed', failure: failureOf(error) });
  }
}

/** Resolves when the primary has brought the rule, or could not. */
async function deliverRule(home: string, cell: string): Promise<void> {
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
function tellInside(id: number, cell: string): void {
  sightings.flush();
  tell({ kind: 'isInside', id, inside: serving?.mirror.inside(cell) ?? [] });
}

async function tellMetrics(id: number): Promise<void> {
  const metrics = (await serving?.plane.metrics().getMetricsAsJSON()) ?? [];
  tell({ kind: 'measured', id, metrics });
}

function tellCounts(): void {
  const counts = [...(serving?.plane.counts() ?? [])];
  if (isDeepStrictEqual(counts, counted)) return;
  counted = counts;
  tell({ kind: 'counts', counts });
}

async function close(): Promise<void> {
  serving?.network.unwatch();
  await serving?.plane.close();
  tellCounts();
  sightings.flush();
  // What was told last has arrived when this has.
  tell({ kind: 'pong' }, () => process.exit(0));
}

function failureOf(error: unknown): StartFailure {
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  return { code: code ?? null, port: port ?? null, message };
}
