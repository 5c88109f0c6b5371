// The seam between the routers and what they share. Two stores live behind it: Redis, and one in this process.
import type { HomeLoad } from './load.ts';
import type {
  QuarantineChange,
  QuarantineEntry,
  QuarantineWish,
  ReleaseWish,
} from './verdicts/quarantine.ts';
import type { Cause, HealthEvent, HealthRecord, Held, HomeRule, Vote } from './record.ts';
import type { Accusations } from './verdicts/suspects.ts';

/**
 * A machine counts while its last beat is younger than this: two beats may be lost. A little less than 3 s, so that a
 * verdict that a dead machine stands in the way of is known everywhere within 3 s.
 */
export const BEAT_TTL_MS = 2_900;

/** What a machine tells of its load is kept for this long: it tells once a second, and may miss some. */
export const LOAD_TTL_MS = 5_000;

/**
 * How the machines and the shared state speak to each other. A state is led by the newest protocol that all live
 * machines speak; a release that speaks only an older one votes and reads, and leaves decisions to the others.
 */
export const PROTOCOL = 2;

/** A beat brings this many marks of refusals at most; what is more is dropped. */
export const MARKS_MAX = 2_000;

/** Requests of one home's tenants that this machine refused since its last beat that was answered. */
export type Refusals = {
  home: string;
  /** The home's epoch that this machine went by when it refused. */
  epoch: number;
  /** One opaque `tenantHash:second` for each tenant and second: the same one told twice, by anybody, counts once. */
  marks: readonly string[];
};

/** What one machine says of itself and of every cell, at each beat and at once when an opinion changes. */
export type Beat = {
  /** `ROUTER_ID`: stable and unique. */
  router: string;
  /**
   * A random name of this process. It confirms for itself, and is a machine beside an earlier process of the same router
   * until that has left, or fallen silent; but the two have one vote, that of the one that beat last. Absent: none is told.
   */
  process?: string;
  /** Digest of the fleet file this machine has loaded. */
  fleetDigest: string;
  /** The machine's opinion per cell; a cell without an opinion yet is absent. */
  votes: Record<string, Vote>;
  /** Every home this machine routes for. */
  homes: readonly HomeRule[];
  /** `MIN_DWELL_MS`: the shortest stay away from home. */
  minDwellMs: number;
  /** `NEIGHBOUR_LOST_MS`: how long tenants whose neighbour is down wait for a home that has not caught up. */
  neighbourLostMs: number;
  /** `MAX_FAILED_OVER`: the ratio (0–1) of the fleet's weight that may be failed over by verdict at once. */
  maxFailedOver: number;
  /** `HANDOVER_MS`: how long a handover may be closing. */
  handoverMs: number;
  /** `failover.requires: standby` of the file that is in force here. */
  requiresStandby: boolean;
  /** Whether the file of `fleetDigest` is in force here: `homes` are those of the fleet in force. */
  fleetInForce: boolean;
  /** How far this machine is with each handover that it knows of. */
  confirmations: Record<string, Confirmation>;
  /** Safe to bring again when a beat was not answered. */
  refused: readonly Refusals[];
  /** Which tenants may have killed a cell, or fail alone; absent: none. Safe to bring again. */
  accusations?: Accusations;
  /** The newest `revision` this machine has seen; 0 at start. */
  knownRevision: number;
  /** The store's `incarnation` that `knownRevision` belongs to; null at start. */
  knownIncarnation: string | null;
};

/** By what the store tells processes apart; a router's ID holds no space. */
export function machineName({ router, process }: Pick<Beat, 'router' | 'process'>): string {
  return process === undefined ? router : `${router} ${process}`;
}

/** `ROUTER_ID` of a machine by its name. */
export function routerOf(name: string): string {
  const [router = name] = name.split(' ', 1);
  return router;
}

/** What a machine says of one home's handover. */
export type Confirmation = {
  /** The epoch of the closing record that it speaks of. */
  epoch: number;
  /** It holds the requests of the tenants that change, and has none of theirs inside the cell that loses them. */
  held: boolean;
  /** The cells took the rule: the losing one refuses these tenants, the gaining one has applied its position. */
  ready: boolean;
};

export type BeatReply = {
  /** Epoch milliseconds of the store's clock, as it answered. */
  storeMs: number;
  /** Grows by one with every changed record, and with every change of the quarantine. */
  revision: number;
  /** A random name the store gives itself when it is empty: another one means that it was emptied meanwhile. */
  incarnation: string;
  /** All records when revision or incarnation differ from the known ones, else none. */
  records: HealthRecord[];
  /** The whole quarantine when revision or incarnation differ from the known ones, else null: it is as it was. */
  quarantine: QuarantineEntry[] | null;
  /** The processes that beat within `BEAT_TTL_MS`, this one included, by name. */
  routers: LiveRouter[];
  /** Homes that are down and held back all the same, by name: each is an alarm. */
  held: Held[];
  /** True when the store is led by a newer release: the votes were taken, and nothing was decided on them here. */
  passive: boolean;
  /**
   * True when the store may know less than this machine does: its revision is lower, or its incarnation is another
   * (it was emptied, or lost its last writes). Nothing was decided; the machine brings its records back with
   * `restore` and beats again with what this reply said.
   */
  behind: boolean;
};

export type LiveRouter = {
  /** `ROUTER_ID`; two processes may have the same. */
  id: string;
  /** As `machineName` makes it. */
  name: string;
  fleetDigest: string;
  /** How long ago it beat, in milliseconds; 0 for the one that asks. */
  ageMs: number;
  /** Whether it has said that it knows the newest revision. The one that asks knows it by this reply. */
  current: boolean;
};

/** An operator's wish to send all tenants of a home to its neighbour at once. */
export type FailOver = {
  home: string;
  /** By the fleet file; null: there is none. */
  neighbour: string | null;
  /** Who asks: the name of the token. */
  actor: string;
  reason: string;
  owner: string;
  /** After this it ends by itself. */
  expiresInMs: number;
  /** By the fleet file: the neighbour's standby of the home is to be synced. */
  requiresStandby: boolean;
  /** Safety rules that the operator overrules, by name. */
  override: readonly string[];
};

/**
 * `target-up`: the cell that gains tenants is up by majority · `target-not-drained`: nobody emptied it on purpose ·
 * `standby-synced`: a neighbour that gains tenants has a synced standby of their home, where the fleet requires one ·
 * `caught-up`: a home that takes tenants back has all that its neighbour wrote.
 */
export type SafetyRule = 'target-up' | 'target-not-drained' | 'standby-synced' | 'caught-up';

/**
 * `not-found`: no live machine has heard of the home · `target-away`: the neighbour's own tenants are at the home.
 * `rule` names the safety rule to overrule, where one can be.
 */
export type FailOverRefusal =
  | { refused: 'not-found' | 'no-neighbour' | 'target-away'; rule: null }
  | { refused: 'target-down' | 'target-drained' | 'no-standby'; rule: SafetyRule };

/** What is to change, on purpose, by a handover. */
export type Wish =
  /** `percent` (0–100, whole) of the home's tenants away. */
  | { kind: 'share'; percent: number }
  /** One tenant at the home or at its neighbour, whatever the share; null: where the others are. */
  | { kind: 'pin'; tenant: string; cell: string | null }
  /** Another home. `generation`: how many the fleet file has. */
  | { kind: 'cut-over'; to: string; buckets: [number, number][]; tenants: string[]; generation: number };

/** A planned change that an operator, or what works for one, wants. */
export type Change = {
  home: string;
  /** By the fleet file; null: there is none. A record's own goes before it. */
  neighbour: string | null;
  wish: Wish;
  cause: Extract<Cause, 'operator' | 'rollout' | 'move'>;
  actor: string;
  reason: string;
  owner: string;
  /** After this a share, or a pin, ends by itself. */
  expiresInMs: number;
  handoverMs: number;
  /** By the fleet file: a neighbour that gains tenants is to have a synced standby of their home. */
  requiresStandby: boolean;
  /** Safety rules that are overruled, by name. */
  override: readonly string[];
};

/**
 * `handover-under-way`: another one of this home, or of the home that gains, is closing: ask again · `already-away`: a part of
 * it can not be sent away, for it is failed over or on its way home; or pinned, for all of it is away · `old-routers`: a live router does not speak of handovers ·
 * `warming-up`: the machines are not all heard yet, ask again · `not-at-home`: a cut-over needs both homes
 * serving, with nobody away · `too-many-pins`, `too-many-moves`: of one home · `third-cell`: a pin to neither the home nor its
 * neighbour.
 */
export type ChangeRefusal =
  | {
      refused:
        | 'not-found'
        | 'no-neighbour'
        | 'target-away'
        | 'handover-under-way'
        | 'already-away'
        | 'old-routers'
        | 'warming-up'
        | 'not-at-home'
        | 'third-cell'
        | 'too-many-pins'
        | 'too-many-moves';
      rule: null;
    }
  | { refused: 'target-down' | 'target-drained' | 'no-standby' | 'not-caught-up'; rule: SafetyRule };

export type ChangeListener = (
  records: HealthRecord[],
  revision: number,
  quarantine: readonly QuarantineChange[],
) => void;

/**
 * Where votes become verdicts. Every call rejects within a bound of its own when the store does not answer
 * (`StoreUnavailable`); no call is ever made on behalf of a waiting request.
 */
export interface Store {
  readonly kind: 'redis' | 'in-process';
  /** Takes the machine's votes, drops machines that stopped beating, decides, and answers what is now true. */
  beat(beat: Beat): Promise<BeatReply>;
  /**
   * Forces a failover at once, whatever the votes and the budget say, until it expires. Where all of the home is away
   * already, by whatever, nobody moves, and its end is the operator's from now on. Rejects with `StoreUnavailable`, too,
   * while the store is behind or passive.
   */
  failOver(wish: FailOver): Promise<{ record: HealthRecord } | FailOverRefusal>;
  /**
   * Begins a handover, and answers with the closing record; beats open or undo it. Where no tenant changes cell (the same
   * share or pin again, with another end) the record is open at once.
   */
  change(change: Change): Promise<{ record: HealthRecord } | ChangeRefusal>;
  /** Refuses a tenant, until it expires. Rejects with `StoreUnavailable`, too, while the store is behind or passive. */
  quarantine(wish: QuarantineWish): Promise<{ entry: QuarantineEntry } | { refused: 'too-many' }>;
  /** Lets a tenant in again; answers with the entry that is gone. Rejects as `quarantine` does. */
  unquarantine(wish: ReleaseWish): Promise<{ entry: QuarantineEntry } | { refused: 'not-found' }>;
  /**
   * Brings whole records back: for each home the higher epoch stands. Of one that was given twice, what the store has does,
   * at the next one. `revision` becomes at least `revision`. Tenants of
   * `quarantine` that are not refused there are again, if their time is not over.
   */
  restore(
    records: readonly HealthRecord[],
    revision: number,
    quarantine?: readonly QuarantineEntry[],
  ): Promise<void>;
  /** Takes the machine's beat and load away at once, by its `machineName`: a clean stop leaves no vote behind. */
  leave(machine: string): Promise<void>;
  /** Keeps what this machine's own requests load each home with, until `LOAD_TTL_MS` later. Homes without load are absent. */
  tellLoad(machine: string, loads: readonly HomeLoad[]): Promise<void>;
  /** What these machines told last. One that told nothing lately, or nothing that can be read, is absent. */
  loads(machines: readonly string[]): Promise<Map<string, readonly HomeLoad[]>>;
  /** Newest first. `after`: an event id; only newer ones are returned. */
  events(limit: number, after?: string): Promise<HealthEvent[]>;
  /**
   * Is called with each changed record, and each change of the quarantine, as soon as it is known, and with `stale` when
   * some may have been missed.
   */
  subscribe(onChange: ChangeListener, onStale: () => void): void;
  close(): Promise<void>;
}

/**
 * `silent`: it did not answer, or with nothing that can be read · `behind`: it lost records and has not got them back yet ·
 * `passive`: a newer release leads it · `untold`: it began a handover, and nobody told in time how that ended.
 */
export type StoreTrouble = 'silent' | 'behind' | 'passive' | 'untold';

/** The store did not answer in time, or may not decide. The message names no address and no secret. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
  readonly trouble: StoreTrouble;

  constructor(message: string, trouble: StoreTrouble = 'silent') {
    super(message);
    this.trouble = trouble;
  }
}
