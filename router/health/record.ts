// The words of health: what a vote, a record and an event hold. Types only.

/** `serving`: home serves all of its tenants · `failed-over`: the neighbour stands in on a verdict. */
export type CellState = 'serving' | 'failed-over' | 'returning' | 'drained';

/** Why a record changed. */
export type Cause =
  | 'unreachable'
  | 'self-declared'
  | 'operator'
  | 'recovered'
  | 'neighbour-lost'
  | 'expired'
  | 'rollout'
  | 'move';

/**
 * What the quorum decided about one home cell, whole: a router that holds it can bring it back to an empty store.
 * The highest `epoch` wins. Without a record a home is `serving` at epoch 1.
 */
export type HealthRecord = {
  home: string;
  /** The cell that stands in for `home` by this record; null in a fleet of one cell. */
  neighbour: string | null;
  state: CellState;
  /** `closing` only while a planned change of server is under way. */
  phase: 'open' | 'closing';
  /** The cell that serves the share of `home`'s tenants that is away, or `home` itself. */
  target: string;
  /** Grows by one with every change of who serves `home`'s tenants. First 1. */
  epoch: number;
  /** Percentage (0–100) of `home`'s tenants that are away at the neighbour. */
  share: number;
  shareBefore: number;
  /** Number of the planned change under way, else null. */
  operation: number | null;
  position: string | null;
  /** Epoch milliseconds, or null. */
  deadline: number | null;
  /** When the state began, in epoch milliseconds of the store's clock; null: never changed. */
  since: number | null;
  cause: Cause | null;
  /** Run-time pins of this home's tenants: tenant → cell. */
  pins: Record<string, string>;
  /** Bucket ranges `[from, to]` whose cut-over is recorded. */
  moved: [number, number][];
};

/** Evidence classes of a vote: what a machine saw. `self-declared` is the cell's own `status: down`. */
export type Evidence = 'unreachable' | 'self-declared' | 'failing';

/**
 * One machine's opinion of one cell, with its reason in words (no addresses, no secrets).
 * `caughtUp` is the cell's own word that it has all that was written at its neighbour; a cell without that word leaves
 * it out. `suspect: 'release'`: it began to fail right after its version changed.
 */
export type Vote =
  | { opinion: 'up'; caughtUp?: boolean }
  | { opinion: 'down'; evidence: Evidence; reason: string; suspect?: 'release' };

/**
 * Why a home that is down stays where it is: too many are away already (`budget`), its neighbour can not stand in
 * (`no-target`), a new release is to blame (`suspect-release`), or the machines are not all heard yet (`warming-up`).
 */
export type HeldWhy = 'budget' | 'no-target' | 'suspect-release' | 'warming-up';

export type Held = { home: string; why: HeldWhy };

/** One entry of the audit log: who changed what, when and why. */
export type HealthEvent = {
  id: string;
  /** Epoch milliseconds of the store's clock. */
  at: number;
  cell: string;
  from: CellState;
  to: CellState;
  epoch: number;
  cause: Cause;
  actor: string;
  reason: string;
  details: Record<string, unknown> | null;
  /**
   * Seconds for which tenants of `cell` were refused, added up over the tenants, in the incident that this event
   * belongs to (about 1 % off in Redis); null: none was told, or the event ends an incident.
   */
  tenantSecondsRefused: number | null;
};

/** An event as it is written; the rest is known when it is read. */
export type EventEntry = Omit<HealthEvent, 'id' | 'tenantSecondsRefused'>;

/** What the decision needs to know of the fleet, one row per home cell. */
export type HomeRule = {
  home: string;
  neighbour: string | null;
  /** Its weight: how many buckets it owns. */
  buckets: number;
  zone: string | null;
};

/** The record of a home that never changed. */
export function initialRecord(home: string, neighbour: string | null): HealthRecord {
  return {
    home,
    neighbour,
    state: 'serving',
    phase: 'open',
    target: home,
    epoch: 1,
    share: 0,
    shareBefore: 0,
    operation: null,
    position: null,
    deadline: null,
    since: null,
    cause: null,
    pins: {},
    moved: [],
  };
}
