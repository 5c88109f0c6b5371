// What the data plane asks of health and tells it, all of it answered from memory: the one way between the two planes.
import type { CutOvers } from './find-home.ts';
import type { CellKnowledge } from './forward/cell-knowledge.ts';
import type { Homes } from './forward/handovers.ts';
import type { HomeCount } from './health/load.ts';
import type { QuarantineList } from './health/quarantine-list.ts';
import type { HealthRecord } from './health/record.ts';
import type { InFlight } from './health/verdicts/suspects.ts';
import type { Registry } from 'prom-client';

/**
 * The monitor of this process, or what a worker keeps of the one in its primary. `find-home.ts` and forwarding ask
 * parts of it; the rest is what the data plane as a whole needs.
 */
export type RequestHealth = CellKnowledge &
  CutOvers &
  Homes & {
    /** Whether enough is known to serve at all. */
    readonly ready: boolean;
    /** Routers that share the cells' capacity and the tenants' rates, this one included. */
    readonly liveRouters: number;
    readonly quarantine: Pick<QuarantineList, 'refusedForS' | 'onChange'>;
    recordOf(home: string): HealthRecord;
    /** Whether the cell has more than it can carry. */
    isPressed(cell: string): boolean;
    /** A request of `tenant` was refused for want of its cell. */
    countRefused(home: string, tenant: string): void;
    /** Nothing is inside the cell that loses tenants by the handover of this epoch, and nothing comes to be. */
    confirmHeld(home: string, epoch: number): void;
    /** Called with the records that changed, once requests go by them; at once with those that are known. */
    onRecords(listener: (records: readonly HealthRecord[]) => void): void;
    /** Called after each probe; `well`: the cell answered as it should. */
    onProbe(listener: (cell: string, well: boolean) => void): void;
    /** Called when a cell is found that can not be reached any more. */
    onLost(listener: (cell: string) => void): void;
    /** `inside` answers who has requests in a cell now. */
    whoIsInside(inside: (cell: string) => readonly InFlight[]): void;
  };

/** The data plane as the process that starts it sees it: in that process, or in workers of its own. */
export type Requests = {
  /** Starts to listen and answers the address. Rejects with the system's error (`EADDRINUSE`). */
  listen(): Promise<string>;
  /** From now on every answer asks its client to close the connection. */
  startDraining(): void;
  /** Stops listening; resolves when all is answered, or cut after `DRAIN_TIMEOUT_MS`. */
  close(): Promise<void>;
  /** What the tenants of each home ask for, as counted so far. */
  counts(): Iterable<HomeCount>;
  /** All metrics of this machine. */
  metrics(): Registry | Promise<Registry>;
};
