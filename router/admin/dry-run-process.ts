// The process of one dry run: reads the new file, computes both placements, answers once and ends.
import { faultLine } from '../faults.ts';
import { FleetFileError, parseFleet } from '../fleet/load.ts';
import { buildPlacement } from '../placement/placement.ts';
import { dryRun } from '../plan/dry-run.ts';
import type { DryRunAnswer, DryRunQuestion } from './dry-runner.ts';

/** Where relative paths of the file begin: none of them is opened here. */
const NO_FOLDER = '/';

process.once('message', (question: DryRunQuestion) => {
  process.send?.(answerOf(question));
});

function answerOf({ text, active, standings, loads, records }: DryRunQuestion): DryRunAnswer {
  try {
    const placement = buildPlacement(active.history);
    return { plan: dryRun({ ...active, placement }, parseFleet(text, NO_FOLDER), standings, loads, records) };
  } catch (error) {
    if (!(error instanceof FleetFileError)) throw error;
    return { faults: error.faults.map(faultLine) };
  }
}
