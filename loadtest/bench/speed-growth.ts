// Whether the work per request grows with cells, tenants or pins: the same router beside itself with many of them.
import { setTimeout as pause } from 'node:timers/promises';
import { anyFree } from '../../infra/local/ports.ts';
import { MOST_CELLS } from './contenders/cells.ts';
import { startCellgate } from './contenders/cellgate.ts';
import type { Running } from './contenders/launch.ts';
import { FEW_CELLS, FEW_TENANTS, inOrderOf, setupFor, type Bench } from './speed-bench.ts';
import { measure, type Sample } from './speed-measure.ts';
import { measureCalmly } from './speed-repeats.ts';
import { cpuMsOf } from './speed-proc.ts';
import { tenantOf, WORKLOADS, type Tenants } from './speed-workloads.ts';

export type GrowthId = 'few' | 'many' | 'pins';

export type Grown = {
  id: GrowthId;
  cells: number;
  /** Distinct tenants that it has served. */
  tenants: number;
  pins: number;
  /** CPU time that it uses in a second without any request: probes above all. It is not counted in the samples. */
  idleMsPerS: number;
  samples: Sample[];
};

type Arm = Grown & { running: Running; nextTenant: number; tenantsWanted: number };

const PINS = 100_000;
/** A thousand cells at the default of 500 would have 2,000 probes a second; the same for all, so that they compare. */
const PROBE_INTERVAL_MS = 10_000;
/** No window gets through so many: they go on where the last one ended. */
const SLICE = 200_000;
const IDLE_MS = 3_000;
const FILL_MS = 5_000;
/** Until all tenants have been there once; a slow load does not get further. */
const FILL_LIMIT_MS = 180_000;

export async function runGrowth(bench: Bench): Promise<Grown[]> {
  const arms: Arm[] = [];
  try {
    const { tenants } = bench.plan;
    arms.push(await startArm(bench, 'few', FEW_CELLS, FEW_TENANTS.count, 0));
    arms.push(await startArm(bench, 'many', MOST_CELLS, tenants, 0));
    arms.push(await startArm(bench, 'pins', FEW_CELLS, Math.min(PINS, tenants), Math.min(PINS, tenants)));
    for (const arm of arms) await fill(bench, arm);
    for (const arm of arms) arm.idleMsPerS = await idleOf(arm.running);
    for (let round = 0; round < bench.plan.rounds; round += 1) {
      for (const arm of inOrderOf(round, arms)) {
        const once = () => measureSlice(bench, arm, bench.plan.windowMs);
        arm.samples.push(await measureCalmly(bench.repeats, once));
      }
      bench.say(`growth: round ${round + 1} of ${bench.plan.rounds}`);
    }
    return arms.map(({ id, cells, tenants: served, pins, idleMsPerS, samples }) => {
      return { id, cells, tenants: served, pins, idleMsPerS, samples };
    });
  } finally {
    for (const { running } of arms) await running.child.stop();
  }
}

async function startArm(
  bench: Bench,
  id: GrowthId,
  cells: number,
  tenantsWanted: number,
  pins: number,
): Promise<Arm> {
  const running = await startCellgate(setupFor(bench, 'growth', cells), {
    id,
    label: `Cellgate, ${cells} cells, ${tenantsWanted} tenants, ${pins} pins`,
    port: await anyFree(),
    env: { PROBE_INTERVAL_MS: String(PROBE_INTERVAL_MS) },
    pins: Array.from({ length: pins }, (_, index) => tenantOf(index)),
  });
  return { id, cells, tenants: 0, pins, idleMsPerS: 0, samples: [], running, nextTenant: 0, tenantsWanted };
}

/** For as long as a compiler needs; and where tenants are what is many, until each of them was there once. */
async function fill(bench: Bench, arm: Arm): Promise<void> {
  const startMs = performance.now();
  await measureSlice(bench, arm, 2 * bench.plan.warmMs);
  if (arm.id !== 'many') return;
  while (arm.tenants < arm.tenantsWanted && performance.now() - startMs < FILL_LIMIT_MS) {
    await measureSlice(bench, arm, Math.min(FILL_MS, 10 * bench.plan.warmMs));
    bench.say(`${arm.running.label}: ${arm.tenants} tenants served`);
  }
}

async function measureSlice(bench: Bench, arm: Arm, windowMs: number): Promise<Sample> {
  const { machine, drive } = bench;
  const tenants = sliceOf(arm.tenantsWanted, arm.nextTenant);
  const load = { machine, target: arm.running, workload: WORKLOADS.get, tenants, windowMs };
  const sample = await measure(drive, load, arm.idleMsPerS);
  const got = Math.min(sample.requests, tenants.count);
  arm.nextTenant = (tenants.first + got) % arm.tenantsWanted;
  arm.tenants = Math.min(arm.tenantsWanted, arm.tenants + got);
  return sample;
}

/** The tenants of one window: those that were not there for longest. Pure. */
export function sliceOf(total: number, next: number): Tenants {
  return { first: next, count: Math.min(SLICE, total - next) };
}

async function idleOf({ pid }: Running): Promise<number> {
  const fromMs = cpuMsOf(pid);
  await pause(IDLE_MS);
  return ((cpuMsOf(pid) - fromMs) * 1_000) / IDLE_MS;
}
