// What the router adds to the time that an answer takes, at a rate that fills nothing: beside going straight to the cell.
import { fileURLToPath } from 'node:url';
import { anyFree } from '../../infra/local/ports.ts';
import { startCellgate } from './contenders/cellgate.ts';
import { FEW_CELLS, FEW_TENANTS, setupFor, type Bench } from './speed-bench.ts';
import { parseLoaded, runTool } from './speed-driver.ts';
import { measureCalmly } from './speed-repeats.ts';
import type { OpenPlan } from './speed-open-client.ts';
import { othersPart, readMoment } from './speed-proc.ts';

export type LatencySample = {
  p50Ms: number;
  p99Ms: number;
  /** By how much the load itself was late, of 99 % of its requests. */
  lateP99Ms: number;
  requests: number;
  others: number;
  disturbed: boolean;
};

/** A sample of each for every round. */
export type Latency = { straight: LatencySample[]; router: LatencySample[] };

/** Requests a second: a small part of what one core can do. */
const RATE = 1_000;

const MAIN = fileURLToPath(new URL('./speed-open-client.ts', import.meta.url));

/** Throws when a single request fails. */
export async function runLatency(bench: Bench): Promise<Latency> {
  const { plan, cells, say } = bench;
  const options = { id: 'cellgate', label: 'Cellgate', port: await anyFree() };
  const router = await startCellgate(setupFor(bench, 'latency', FEW_CELLS), options);
  const ports = { straight: cells.port, router: router.port } as const;
  const measured: Latency = { straight: [], router: [] };
  try {
    for (const port of Object.values(ports)) await holdRate(bench, port, plan.warmMs);
    for (let round = 0; round < plan.rounds; round += 1) {
      const order = round % 2 === 0 ? (['straight', 'router'] as const) : (['router', 'straight'] as const);
      for (const way of order) {
        const once = () => holdRate(bench, ports[way], plan.latencyMs);
        measured[way].push(await measureCalmly(bench.repeats, once));
      }
      say(`${RATE} requests/s: round ${round + 1} of ${plan.rounds}`);
    }
    return measured;
  } finally {
    await router.child.stop();
  }
}

async function holdRate({ machine }: Bench, port: number, windowMs: number): Promise<LatencySample> {
  const plan: OpenPlan = { port, rate: RATE, tenants: FEW_TENANTS, windowMs };
  const from = readMoment();
  const lines = await runTool(
    machine,
    [process.execPath, MAIN, JSON.stringify(plan)],
    () => undefined,
    () => new Promise(() => undefined),
  );
  const others = othersPart(from, readMoment());
  const { requests, failed, p50Ms, p99Ms, lateP99Ms } = parseLoaded(lines);
  if (failed > 0) throw new Error(`${failed} of ${requests} requests failed at ${RATE} a second`);
  return { requests, p50Ms, p99Ms, lateP99Ms: lateP99Ms ?? Number.NaN, others, disturbed: false };
}
