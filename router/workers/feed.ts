// What the workers are told of the monitor and the fleet: each change once, in order; verdicts at once, the rest soon after.
import { isDeepStrictEqual } from 'node:util';
import type { ActiveFleet } from '../fleet/holder.ts';
import type { Monitor } from '../health/monitor.ts';
import { bytesOf } from './fleet-bytes.ts';
import type { CellState, News, Status } from './messages.ts';

/** What does not decide where requests go waits for so long for more of it. */
const SOON_MS = 20;
/** What changes with time alone is looked for this often. */
const LOOK_MS = 100;

export type FeedParts = { fleets: ActiveFleet; monitor: Monitor };

export class Feed {
  readonly #fleets: ActiveFleet;
  readonly #monitor: Monitor;
  readonly #tell: (news: readonly News[]) => void;
  readonly #cells = new Map<string, CellState>();
  #status: Status | null = null;
  #news: News[] = [];
  #soon: NodeJS.Timeout | null = null;
  #now: NodeJS.Immediate | null = null;
  readonly #timer: NodeJS.Timeout;

  /** `tell`: to every worker that was told `whole` before. */
  constructor({ fleets, monitor }: FeedParts, tell: (news: readonly News[]) => void) {
    this.#fleets = fleets;
    this.#monitor = monitor;
    this.#tell = tell;
    // By a new file, and by a verdict, requests go at once where the cells and the store's word must be known as well.
    fleets.onActivate((fleet) => {
      this.#lookAtAll();
      this.#urgent({ kind: 'fleet', fleet: bytesOf(fleet) });
    });
    monitor.onRecords((records) => {
      this.#lookAtStatus();
      this.#urgent({ kind: 'records', records });
    });
    monitor.onLost((cell) => this.#urgent({ kind: 'lost', cell }));
    monitor.quarantine.follow((change) => this.#urgent({ kind: 'quarantine', change }));
    monitor.onProbe((cell, well) => {
      this.#lookAt(cell);
      this.#later({ kind: 'probed', cell, well, pressed: monitor.isPressed(cell) });
    });
    monitor.onNews((cell) => {
      if (cell !== null) this.#lookAt(cell);
      this.#lookAtStatus();
    });
    this.#timer = setInterval(() => this.#lookAtAll(), LOOK_MS);
  }

  /** All that is known now. Who is told it gets what changes from now on, and nothing that it holds already. */
  whole(): News[] {
    this.#lookAtAll();
    this.flush();
    const { quarantine, records } = this.#monitor;
    return [
      { kind: 'fleet', fleet: bytesOf(this.#fleets.active) },
      { kind: 'records', records },
      ...[...this.#cells].map(([cell, state]): News => ({ kind: 'cell', cell, state })),
      ...(this.#status === null ? [] : [{ kind: 'status', status: this.#status } as const]),
      ...quarantine.entries.map((entry): News => ({
        kind: 'quarantine',
        change: { tenant: entry.tenant, entry },
      })),
    ];
  }

  /** Tells what waits to be told. */
  flush(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    if (this.#now !== null) clearImmediate(this.#now);
    [this.#soon, this.#now] = [null, null];
    const news = this.#news;
    if (news.length === 0) return;
    this.#news = [];
    this.#tell(news);
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }

  /** Compares what is known with what was told. */
  #lookAtAll(): void {
    const cells = new Set([...this.#cells.keys(), ...this.#fleets.active.placement.cells]);
    for (const cell of cells) this.#lookAt(cell);
    this.#lookAtStatus();
  }

  #lookAt(cell: string): void {
    const known = this.#cells.get(cell) ?? null;
    const state = this.#monitor.hasCell(cell) ? stateOf(this.#monitor, cell) : null;
    if (isSame(known, state)) return;
    if (state === null) this.#cells.delete(cell);
    else this.#cells.set(cell, state);
    this.#urgent({ kind: 'cell', cell, state });
  }

  #lookAtStatus(): void {
    const status = statusOf(this.#monitor, this.#status);
    if (isDeepStrictEqual(status, this.#status)) return;
    this.#status = status;
    this.#urgent({ kind: 'status', status });
  }

  #urgent(news: News): void {
    this.#news.push(news);
    this.#now ??= setImmediate(() => this.flush());
  }

  #later(news: News): void {
    this.#news.push(news);
    this.#soon ??= setTimeout(() => this.flush(), SOON_MS);
  }
}

/** Entries of the quarantine end to the second: clocks that drift by less are one. */
const CLOCK_STEP_MS = 100;

function statusOf(monitor: Monitor, before: Status | null): Status {
  const { ready, whole, storeAnswers, liveRouters, held, quarantine } = monitor;
  const { aheadMs } = quarantine;
  const drift = Math.abs(aheadMs - (before?.storeAheadMs ?? Number.POSITIVE_INFINITY));
  const storeAheadMs = drift < CLOCK_STEP_MS ? (before?.storeAheadMs ?? aheadMs) : aheadMs;
  return { ready, whole, storeAnswers, liveRouters, held, storeAheadMs };
}

function stateOf(monitor: Monitor, cell: string): CellState {
  const unreachable = monitor.isUnreachable(cell);
  return {
    opinion: monitor.opinionOf(cell),
    unreachable,
    offsetMs: monitor.clockOffsetOf(cell),
    standIn: unreachable ? monitor.ownStandIn(cell) : null,
  };
}

function isSame(a: CellState | null, b: CellState | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.opinion === b.opinion &&
    a.unreachable === b.unreachable &&
    a.offsetMs === b.offsetMs &&
    a.standIn === b.standIn
  );
}
