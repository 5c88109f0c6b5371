// The N-1 table: for each cell, how full its neighbour gets if it dies now. Pure.
import type { Cell } from '../fleet/fleet.ts';
import type { Load } from '../health/load.ts';
import type { HealthRecord } from '../health/record.ts';
import { add, NO_LOAD, percentOf, plus, times } from './loads.ts';
import { violationsOf, type Violation } from './violations.ts';

/** How a cell stands now: by its record, whether it is found down, and whether its neighbour lacks a standby that is required. */
export type Standing = Pick<HealthRecord, 'neighbour' | 'target' | 'share'> & {
  down: boolean;
  lacksStandby: boolean;
};

/** A fleet at one moment. */
export type Picture = {
  /** In order of name. */
  cells: readonly string[];
  declared: ReadonlyMap<string, Pick<Cell, 'zone' | 'capacity'>>;
  bucketsOf: (cell: string) => number;
  standingOf: (cell: string) => Standing;
  /** By home; a home that is absent has none. Null: not known. */
  loads: ReadonlyMap<string, Load> | null;
};

export type PlanRow = {
  cell: string;
  zone: string | null;
  neighbour: string | null;
  /** What the cell itself can carry. */
  capacity: Load;
  buckets: number;
  /** Percentage of its tenants that are away at the neighbour now. */
  share: number;
  /** What its tenants ask for, wherever they are served. */
  load: Load | null;
  /** What its neighbour carries once the cell is lost: all of this cell's tenants beside those it has already. */
  loadIfLost: Load | null;
  /** `loadIfLost` in percent of the neighbour's capacity. */
  percent: number | null;
  /**
   * The same by declarations alone: if the fleet were as full as cells sized for double load allow, which is half of all
   * its capacity, spread by weight. Above 100, the neighbour is too small for the weights of the two, whatever is measured.
   */
  percentByWeights: number | null;
  violations: readonly Violation[];
};

/** One row a cell, in order of name. */
export function planRows(picture: Picture): PlanRow[] {
  const zones = new Set(picture.cells.map((cell) => zoneOf(picture, cell)));
  const afterLoss = { measured: loadIfLost(picture), byWeights: loadIfLostByWeights(picture) };
  return picture.cells.map((cell) => {
    const { neighbour, share, lacksStandby } = picture.standingOf(cell);
    const measured = neighbour === null ? null : afterLoss.measured(cell, neighbour);
    const row = {
      cell,
      zone: zoneOf(picture, cell),
      neighbour,
      capacity: capacityOf(picture, cell),
      buckets: picture.bucketsOf(cell),
      share,
      load: loadOf(picture.loads, cell),
      loadIfLost: measured,
      percent: percentAt(picture, neighbour, measured),
      percentByWeights:
        neighbour === null ? null : percentAt(picture, neighbour, afterLoss.byWeights(cell, neighbour)),
    };
    const standing = neighbour === null ? null : picture.standingOf(neighbour);
    const sameZone = neighbour !== null && zones.size > 1 && zoneOf(picture, neighbour) === row.zone;
    return { ...row, violations: violationsOf(row, standing, { sameZone, lacksStandby }) };
  });
}

/** The load of a home; null: not known. */
export function loadOf(loads: ReadonlyMap<string, Load> | null, home: string): Load | null {
  return loads === null ? null : (loads.get(home) ?? NO_LOAD);
}

/** What a neighbour carries once its home is lost: what of it is away is among what the neighbour carries already. */
function loadIfLost(picture: Picture): (home: string, neighbour: string) => Load | null {
  const { loads, standingOf } = picture;
  if (loads === null) return () => null;
  const carried = carriedNow(picture, loads);
  return (home, neighbour) => {
    const atHome = times(loads.get(home) ?? NO_LOAD, 1 - standingOf(home).share / 100);
    return plus(carried.get(neighbour) ?? NO_LOAD, atHome);
  };
}

/** What each cell carries now: its own tenants that are at home, and its guests. */
function carriedNow({ cells, standingOf }: Picture, loads: ReadonlyMap<string, Load>): Map<string, Load> {
  const carried = new Map<string, Load>();
  for (const cell of cells) {
    const load = loads.get(cell) ?? NO_LOAD;
    const { neighbour, share } = standingOf(cell);
    add(carried, cell, times(load, 1 - share / 100));
    if (neighbour !== null) add(carried, neighbour, times(load, share / 100));
  }
  return carried;
}

/** Half of what all cells can carry, divided by the buckets that the weights gave each. */
function loadIfLostByWeights(picture: Picture): (home: string, neighbour: string) => Load {
  const { cells, bucketsOf } = picture;
  const capacity = cells.reduce((sum, cell) => plus(sum, capacityOf(picture, cell)), NO_LOAD);
  const buckets = cells.reduce((sum, cell) => sum + bucketsOf(cell), 0);
  return (home, neighbour) => times(capacity, (bucketsOf(home) + bucketsOf(neighbour)) / buckets / 2);
}

function percentAt(picture: Picture, cell: string | null, load: Load | null): number | null {
  return cell === null || load === null ? null : percentOf(load, capacityOf(picture, cell));
}

function zoneOf({ declared }: Picture, cell: string): string | null {
  return declared.get(cell)?.zone ?? null;
}

function capacityOf({ declared }: Picture, cell: string): Load {
  const capacity = declared.get(cell)?.capacity;
  if (capacity === undefined) throw new RangeError(`${cell} is not declared`);
  return capacity;
}
