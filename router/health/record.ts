// The words of health: what a vote, a record and an event hold. Types only.

/**
 * `serving`: home serves its tenants, but for a share or pins that somebody sent away on purpose · `failed-over`: the
 * neighbour stands in on a verdict, or forced by hand · `returning`: on its way home, in steps · `drained`: all of its
 * tenants are away on purpose.
 */
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
  /** The cell that serves the share of `home`'s tenants that is away, or `home` itself where the share is 0. */
  target: string;
  /** Grows by one with every change of who serves `home`'s tenants. First 1. */
  epoch: number;
  /** Percentage (0–100) of `home`'s tenants that are away at the neighbour. */
  share: number;
  /** The share before the last change: in `closing`, whose tenants change is told by the two. */
  shareBefore: number;
  /** Number of the planned change under way, kept until the share is 0 or 100 again, else null: it deals the slots. */
  operation: number | null;
  position: string | null;
  /** When what an operator did to the share ends by itself, in epoch milliseconds, or null. */
  deadline: number | null;
  /** When it last changed, in epoch milliseconds of the store's clock; null: never. */
  since: number | null;
  cause: Cause | null;
  /** Run-time pins of this home's tenants, to the home or to its neighbour. */
  pins: Record<string, Pin>;
  /** What was cut over to another home. */
  moved: Moved[];
  /** In `closing`: the tenants and buckets that change cell beside the share; all other fields say what they change to. */
  changing: Changing | null;
  /** When it last came home after a failover by verdict, in milliseconds of the store's clock; null: never, or nobody knows. */
  returned: number | null;
  /** How often in a row it had to go back to its neighbour soon after its way home began: each doubles the dwell. */
  relapses: number;
  /** How many handovers in a row were undone: each doubles the wait for the next automatic one. */
  undone: number;
  /** The store's own account of a handover, in `closing` alone. */
  handover: Handover | null;
};

/** A record as cells are brought it: without what is the routers' and the store's own. */
export type Rule = Omit<HealthRecord, 'since' | 'cause' | 'returned' | 'relapses' | 'undone' | 'handover'>;

/** `until`: epoch milliseconds; then the tenant goes where the others of its home are. */
export type Pin = { cell: string; until: number };

/**
 * `buckets`: the first and the last of a range; `generation`: how many generations the fleet file had then. A tenant is one
 * whose pin in the fleet file was unsettled.
 */
export type Moved =
  | { buckets: [number, number]; to: string; generation: number }
  | { tenant: string; to: string };

export type Changing = { tenants: string[]; buckets: [number, number][] };

/** What an undo puts back, and what the events of the end will say. */
export type Handover = {
  /** Undone when it is not open by then; epoch milliseconds of the store's clock. */
  until: number;
  /** `quorum` for an automatic one. */
  actor: string;
  reason: string;
  /** The home that gains what is cut over, else null. */
  to: string | null;
  from: Pick<HealthRecord, 'state' | 'target' | 'operation' | 'deadline' | 'cause' | 'pins' | 'moved'>;
};

/** Evidence classes of a vote: what a machine saw. `self-declared` is the cell's own `status: down`. */
export type Evidence = 'unreachable' | 'self-declared' | 'failing';

/**
 * One machine's opinion of one cell, with its reason in words (no addresses, no secrets).
 * `caughtUp` is the cell's own word that it has all that was written at its neighbour; a cell without that word leaves
 * it out. `standbys`: the homes that it is a neighbour of and whose synced standby it has; absent: none. `suspect: 'release'`: it began to fail right after its version changed.
 */
export type Vote =
  | { opinion: 'up'; caughtUp?: boolean; standbys?: readonly string[] }
  | { opinion: 'down'; evidence: Evidence; reason: string; suspect?: 'release' };

/**
 * Why a home that is down stays where it is: too many are away already (`budget`), its neighbour can not stand in
 * (`no-target`) or has no synced standby of it, where the fleet requires one (`no-standby`), a new release is to blame (`suspect-release`), or the machines are not all heard yet (`warming-up`).
 */
export type HeldWhy = 'budget' | 'no-target' | 'no-standby' | 'suspect-release' | 'warming-up';

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
    changing: null,
    returned: null,
    relapses: 0,
    undone: 0,
    handover: null,
  };
}
