// The dry run of a new fleet file: what it moves, whose neighbour changes, and whether losing a cell is then borne. Pure.
import type { Fleet } from '../fleet/fleet.ts';
import type { Load } from '../health/load.ts';
import type { HealthRecord } from '../health/record.ts';
import { membersOf } from '../placement/history.ts';
import { rewritten } from './append-only.ts';
import { percentOf } from './loads.ts';
import { finalBuckets, homesOf, type Homes } from './homes.ts';
import {
  bucketMoves,
  loadsAfter,
  takenBack,
  tenantMoves,
  type BucketMove,
  type TenantMove,
} from './moves.ts';
import { loadOf, planRows, type Picture, type PlanRow, type Standing } from './n-minus-one.ts';
import type { Violation } from './violations.ts';

/** `waits`: the home is away or on its way home; its neighbour changes only while it is serving. */
export type NeighbourChange = { cell: string; from: string | null; to: string | null; waits: boolean };

/** What the tenants of a cell ask for, and how much of the cell's own capacity that is, in percent. */
export type LoadChange = {
  cell: string;
  before: Load | null;
  after: Load | null;
  percentBefore: number | null;
  percentAfter: number | null;
};

export type DryRun = {
  digest: { before: string; after: string };
  added: readonly string[];
  removed: readonly string[];
  /** How many of the 65,536 buckets move, once or more. */
  movedBuckets: number;
  moves: readonly BucketMove[];
  pins: readonly TenantMove[];
  neighbours: readonly NeighbourChange[];
  loads: readonly LoadChange[];
  /** The N-1 table once everything has moved, every cell is up and all tenants are at home. */
  cells: readonly PlanRow[];
  violations: readonly Violation[];
};

/** The part of a fleet that the dry run needs. */
export type PlannedFleet = Pick<Fleet, 'digest' | 'cells' | 'history' | 'placement'>;

/**
 * `standings` and `loads` as they are now, by cell of the old fleet; `loads` null: not known. `records`: at least those
 * of homes that something was moved from.
 */
export function dryRun(
  before: PlannedFleet,
  after: PlannedFleet,
  standings: ReadonlyMap<string, Standing>,
  loads: ReadonlyMap<string, Load> | null,
  records: readonly HealthRecord[],
): DryRun {
  const old = homesOf(before.placement, records);
  const next = homesOf(after.placement, records);
  const members = membersOf(before.history);
  const nextMembers = membersOf(after.history);
  const moved = loads === null ? null : loadsAfter(old, next, after.placement.cells, loads);
  const buckets = bucketMoves(old, next);
  const cells = planRows(pictureAfter(after, next, nextMembers, moved));
  const history = rewritten(before.history, after.history).map((detail): Violation => ({
    cell: null,
    rule: 'history-changed',
    detail,
  }));
  const backs = takenBack(old, next).map(({ from, to, buckets }): Violation => ({
    cell: to,
    rule: 'taken-back',
    detail: `${buckets} buckets that were cut over to ${from} would be at home here again`,
  }));
  const pins = tenantMoves(old, next, new Set([...before.history.pins.keys(), ...after.history.pins.keys()]));
  return {
    digest: { before: before.digest, after: after.digest },
    added: nextMembers.filter((cell) => !members.includes(cell)),
    removed: members.filter((cell) => !nextMembers.includes(cell)),
    movedBuckets: buckets.moved,
    moves: buckets.moves,
    pins,
    neighbours: neighbourChanges(before, after, standings),
    loads: loadChanges(before, after, loads, moved),
    cells,
    violations: [
      ...history,
      ...backs,
      ...movedAtOnce(after, pins),
      ...cells.flatMap(({ violations }) => violations),
    ],
  };
}

/** What an unsettled pin must never do: an old cut-over of the tenant is still on record, or its settled pin is gone. */
function movedAtOnce({ history }: PlannedFleet, moves: readonly TenantMove[]): Violation[] {
  return moves
    .filter(({ tenant, at }) => at === 'activation' && history.pins.get(tenant)?.settled === false)
    .map(({ tenant, to }) => ({
      cell: to,
      rule: 'moved-at-once',
      detail: `${tenant} would be at home here at once, though its pin is not settled`,
    }));
}

/** Everybody up and at home: what is wrong today must not hide, or be taken for, what the file does. */
function pictureAfter(
  { cells, placement }: PlannedFleet,
  homes: Homes,
  members: readonly string[],
  loads: ReadonlyMap<string, Load> | null,
): Picture {
  const buckets = finalBuckets(homes);
  return {
    cells: members,
    declared: cells,
    bucketsOf: (cell) => buckets.get(cell) ?? 0,
    standingOf: (cell) => ({
      neighbour: placement.neighbourOf(cell),
      target: cell,
      share: 0,
      down: false,
      lacksStandby: false,
    }),
    loads,
  };
}

function neighbourChanges(
  { placement: before }: PlannedFleet,
  { placement: after }: PlannedFleet,
  standings: ReadonlyMap<string, Standing>,
): NeighbourChange[] {
  const changes = after.cells.map((cell) => {
    const standing = standings.get(cell);
    const from = standing === undefined ? before.neighbourOf(cell) : standing.neighbour;
    const waits = standing !== undefined && (standing.target !== cell || standing.share > 0);
    return { cell, from, to: after.neighbourOf(cell), waits };
  });
  return changes.filter(({ from, to }) => from !== to);
}

function loadChanges(
  before: PlannedFleet,
  after: PlannedFleet,
  loads: ReadonlyMap<string, Load> | null,
  moved: ReadonlyMap<string, Load> | null,
): LoadChange[] {
  const cells = [...new Set([...before.placement.cells, ...after.placement.cells])].sort();
  return cells.map((cell) => {
    const [now, then] = [loadOf(loads, cell), loadOf(moved, cell)];
    return {
      cell,
      before: now,
      after: then,
      percentBefore: percentAt(before, cell, now),
      percentAfter: percentAt(after, cell, then),
    };
  });
}

function percentAt({ cells }: PlannedFleet, cell: string, load: Load | null): number | null {
  const capacity = cells.get(cell)?.capacity;
  return capacity === undefined || load === null ? null : percentOf(load, capacity);
}
