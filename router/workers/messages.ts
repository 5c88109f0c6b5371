// What a machine's primary and its workers tell each other: types only. Each way all of it arrives in order.
import type { OpinionState } from '../health/cells/opinion.ts';
import type { HomeCount } from '../health/load.ts';
import type { Held, HealthRecord } from '../health/record.ts';
import type { QuarantineChange } from '../health/verdicts/quarantine.ts';
import type { InFlight } from '../health/verdicts/suspects.ts';

/** A watched cell as the primary sees it. `standIn`: who answers its reads while there is no store; mostly null. */
export type CellState = {
  opinion: OpinionState;
  unreachable: boolean;
  /** How far its clock is ahead of the primary's steady one, in milliseconds. */
  offsetMs: number;
  standIn: string | null;
};

export type Status = {
  ready: boolean;
  whole: boolean;
  storeAnswers: boolean;
  liveRouters: number;
  held: readonly Held[];
  /** How far the store's clock is ahead of the primary's steady one, in milliseconds. */
  storeAheadMs: number;
};

/** One thing that has changed. `fleet`: as `bytesOf` writes it. Null as a cell's state: it is watched no more. */
export type News =
  | { kind: 'fleet'; fleet: Uint8Array }
  | { kind: 'records'; records: readonly HealthRecord[] }
  | { kind: 'status'; status: Status }
  | { kind: 'cell'; cell: string; state: CellState | null }
  | { kind: 'lost'; cell: string }
  | { kind: 'probed'; cell: string; well: boolean; pressed: boolean }
  | { kind: 'quarantine'; change: QuarantineChange };

/** A metric as prom-client tells it in JSON; what else it holds is prom-client's own. */
export type MetricData = { name: string; type: string | number };

export type ToWorker =
  /** The first message. `news`: all that is known. `steadyOriginMs`: of the primary's steady clock. */
  | { kind: 'begin'; worker: number; steadyOriginMs: number; news: readonly News[] }
  | { kind: 'news'; news: readonly News[] }
  | { kind: 'inside'; id: number; cell: string }
  | { kind: 'metrics'; id: number }
  | { kind: 'delivered'; id: number }
  | { kind: 'ping' }
  | { kind: 'drain' }
  | { kind: 'close' };

/** What a worker's requests have met since it last told; nothing of it is lost by being told together. */
export type Seen = {
  broken: readonly { cell: string; one: InFlight }[];
  noConnections: readonly { cell: string; reason: string; count: number }[];
  /** `tenant`: '' are requests without one. */
  answers: readonly { cell: string; tenant: string; good: number; overloaded: number; bad: number }[];
  refused: readonly { home: string; tenant: string }[];
  /** Somebody knows a newer rule. */
  askStore: boolean;
};

/** The system's error by which a worker could not listen. */
export type StartFailure = { code: string | null; port: number | null; message: string };

export type FromWorker =
  | { kind: 'hello' }
  | { kind: 'listening'; address: string }
  | { kind: 'failed'; failure: StartFailure }
  | { kind: 'seen'; seen: Seen }
  | { kind: 'held'; home: string; epoch: number }
  | { kind: 'deliver'; id: number; home: string; cell: string }
  | { kind: 'counts'; counts: readonly HomeCount[] }
  | { kind: 'isInside'; id: number; inside: readonly InFlight[] }
  | { kind: 'measured'; id: number; metrics: readonly MetricData[] }
  | { kind: 'pong' };
