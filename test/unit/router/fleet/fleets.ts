// Fleet files for the unit tests: a sound one, and the lines that a wrong one is refused with.
import { stringify } from 'yaml';
import { faultLine } from '../../../../router/faults.ts';
import type { Fleet } from '../../../../router/fleet/fleet.ts';
import { FleetFileError, parseFleet } from '../../../../router/fleet/load.ts';

/** Two cells and one generation. */
export const PAIR = {
  cells: { 'cell-a': { origin: 'http://127.0.0.1:4101' }, 'cell-b': { origin: 'http://127.0.0.1:4102' } },
  generations: [{ add: ['cell-a', 'cell-b'] }],
};

/** The pair's file as text, to be continued by hand. */
export const PAIR_TEXT = stringify(PAIR);

/** The fleet of a file, given as text or as data. Relative paths are resolved against `/etc/cellgate`. */
export function fleetFrom(file: unknown): Fleet {
  return parseFleet(typeof file === 'string' ? file : stringify(file), '/etc/cellgate');
}

/** The lines a wrong file is refused with; an accepted file has none. */
export function linesOf(file: unknown): string[] {
  try {
    fleetFrom(file);
    return [];
  } catch (error) {
    if (!(error instanceof FleetFileError)) throw error;
    return error.faults.map(faultLine);
  }
}

/** The places of the faults alone. */
export function placesOf(file: unknown): string[] {
  return linesOf(file).map((line) => line.split(': ')[0] ?? '');
}

/** The pair with something more, or something else, at `cell-a`. */
export function withCellA(differences: Record<string, unknown>): unknown {
  return { ...PAIR, cells: { ...PAIR.cells, 'cell-a': { ...PAIR.cells['cell-a'], ...differences } } };
}
