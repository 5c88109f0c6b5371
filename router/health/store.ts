// The seam between the routers and what they share. Two stores live behind it: Redis, and one in this process.
import type { HealthEvent, HealthRecord, HomeRule, Vote } from './record.ts';

/** A machine counts while its last beat is younger than this. */
export const BEAT_TTL_MS = 3_000;

/** What one machine says of itself and of every cell, at each beat and at once when an opinion changes. */
export type Beat = {
  /** `ROUTER_ID`: stable and unique. */
  router: string;
  /** Digest of the fleet file this machine has loaded. */
  fleetDigest: string;
  /** The machine's opinion per cell; a cell without an opinion yet is absent. */
  votes: Record<string, Vote>;
  /** Every home this machine routes for, sorted by name. */
  homes: readonly HomeRule[];
  /** `MIN_DWELL_MS`: the shortest stay away from home. */
  minDwellMs: number;
  /** The newest `revision` this machine has seen; 0 at start. */
  knownRevision: number;
  /** The store's `incarnation` that `knownRevision` belongs to; null at start. */
  knownIncarnation: string | null;
};

export type BeatReply = {
  /** Grows by one with every changed record. */
  revision: number;
  /** A random name the store gives itself when it is empty: another one means that it was emptied meanwhile. */
  incarnation: string;
  /** All records when revision or incarnation differ from the known ones, else none. */
  records: HealthRecord[];
  /** The machines that beat within `BEAT_TTL_MS`, this one included. */
  routers: { id: string; fleetDigest: string }[];
  /**
   * True when the store may know less than this machine does: its revision is lower, or its incarnation is another
   * (it was emptied, or lost its last writes). Nothing was decided; the machine brings its records back with
   * `restore` and beats again with what this reply said.
   */
  behind: boolean;
};

/**
 * Where votes become verdicts. Every call rejects within a bound of its own when the store does not answer
 * (`StoreUnavailable`); no call is ever made on behalf of a waiting request.
 */
export interface Store {
  readonly kind: 'redis' | 'in-process';
  /** Takes the machine's votes, drops machines that stopped beating, decides, and answers what is now true. */
  beat(beat: Beat): Promise<BeatReply>;
  /** Brings whole records back: for each home the higher epoch stands. `revision` becomes at least `revision`. */
  restore(records: readonly HealthRecord[], revision: number): Promise<void>;
  /** Takes the machine's beat away at once: a clean stop leaves no vote behind. */
  leave(router: string): Promise<void>;
  /** Newest first. `after`: an event id; only newer ones are returned. */
  events(limit: number, after?: string): Promise<HealthEvent[]>;
  /** Is called with each changed record as soon as it is known, and with `stale` when some may have been missed. */
  subscribe(onChange: (records: HealthRecord[], revision: number) => void, onStale: () => void): void;
  close(): Promise<void>;
}

/** The store did not answer in time, or refused. The message names no address and no secret. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}
