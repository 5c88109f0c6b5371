// `cellgate check-fleet [file]`: is this a fleet file that a router would take?
import { EXIT, Failure } from '../failure.ts';
import { faultLine } from '../../router/faults.ts';
import { FleetFileError, loadFleet } from '../../router/fleet/load.ts';

const DEFAULT_FILE = 'infra/fleet.yaml';

/** One line of summary. Throws a `Failure` (exit code 2) with a line for each fault of the file. */
export function checkFleet(file: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const fromEnv = env['FLEET_FILE'] ?? '';
  const path = file ?? (fromEnv === '' ? DEFAULT_FILE : fromEnv);
  try {
    const fleet = loadFleet(path);
    const cells = [...fleet.cells.keys()];
    const noun = cells.length === 1 ? 'cell' : 'cells';
    return `${path} is good: ${cells.length} ${noun} (${cells.join(', ')}), digest ${fleet.digest}`;
  } catch (error) {
    if (!(error instanceof FleetFileError)) throw error;
    throw new Failure(EXIT.badInput, error.faults.map(faultLine).join('\n'));
  }
}
