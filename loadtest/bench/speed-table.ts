// The main section: every contender with every workload, in rounds.
import { startContenders } from './contenders/all.ts';
import type { Running } from './contenders/launch.ts';
import { checkEcho } from './speed-check.ts';
import { FEW_CELLS, FEW_TENANTS, inOrderOf, setupFor, type Bench } from './speed-bench.ts';
import { driveAutocannon } from './speed-drive-autocannon.ts';
import { measure, type Sample } from './speed-measure.ts';
import { measureCalmly } from './speed-repeats.ts';
import { WORKLOADS, type WorkloadId } from './speed-workloads.ts';

/** What was measured of one contender with one workload, a sample for each round. */
export type Series = { contender: string; workload: WorkloadId; samples: Sample[] };

const ORDER: readonly WorkloadId[] = ['get', 'post', 'large'];

/** Throws `WrongAnswer` when anybody answers anything else than the cells do. */
export async function runTable(bench: Bench): Promise<Series[]> {
  const contenders = await startContenders(setupFor(bench, 'table', FEW_CELLS));
  try {
    for (const one of contenders) await warm(bench, one);
    const series = ORDER.flatMap((workload) =>
      contenders.map((one) => ({ one, workload, samples: [] as Sample[] })),
    );
    for (let round = 0; round < bench.plan.rounds; round += 1) {
      for (const workload of ORDER) {
        const now = series.filter((each) => each.workload === workload);
        for (const { one, samples } of inOrderOf(round, now))
          samples.push(await measureOne(bench, one, workload));
      }
      bench.say(`table: round ${round + 1} of ${bench.plan.rounds}`);
    }
    return series.map(({ one, workload, samples }) => ({ contender: one.id, workload, samples }));
  } finally {
    for (const { child } of contenders) await child.stop();
  }
}

async function measureOne(
  { machine, drive, plan, repeats }: Bench,
  target: Running,
  workload: WorkloadId,
): Promise<Sample> {
  const load = {
    machine,
    target,
    workload: WORKLOADS[workload],
    tenants: FEW_TENANTS,
    windowMs: plan.windowMs,
  };
  return await measureCalmly(repeats, () => measure(drive, load));
}

/** With every body compared, whatever the load is later on. */
async function warm({ machine, plan, say }: Bench, target: Running): Promise<void> {
  await checkEcho(target);
  let compared = 0;
  for (const workload of ORDER) {
    const load = {
      machine,
      target,
      workload: WORKLOADS[workload],
      tenants: FEW_TENANTS,
      windowMs: plan.warmMs,
    };
    compared += (await measure(driveAutocannon, load)).compared;
  }
  say(`${target.label}: ${compared} answers compared, none wrong`);
}
