// What goes on at each home, so that an answer can be judged: who may serve its tenants, and whether one may fail. Pure.

/**
 * `fault`: a cell that serves the home's tenants was killed, until all are at home again. `move`: tenants are handed over
 * on purpose: nobody may fail.
 */
export type Event = { home: string; kind: 'fault' | 'move'; fromMs: number; untilMs: number };

/** A little later than the last router's word: what was under way then may still be answered. */
const GRACE_MS = 250;

export class Weather {
  readonly events: Event[] = [];

  /** Begins now; what it answers ends it. */
  begin(home: string, kind: Event['kind'], nowMs: () => number = () => performance.now()): () => void {
    const event: Event = { home, kind, fromMs: nowMs(), untilMs: Number.POSITIVE_INFINITY };
    this.events.push(event);
    return () => {
      event.untilMs = nowMs() + GRACE_MS;
    };
  }

  /** Whether the neighbour may have served a tenant of the home in this span. */
  mayBeAway(home: string, fromMs: number, untilMs: number): boolean {
    return this.#during(home, fromMs, untilMs).length > 0;
  }

  /** Whether a request of a tenant of the home may have failed in this span. */
  mayFail(home: string, fromMs: number, untilMs: number): boolean {
    return this.#during(home, fromMs, untilMs).some(({ kind }) => kind === 'fault');
  }

  #during(home: string, fromMs: number, untilMs: number): Event[] {
    return this.events.filter(
      (event) => event.home === home && event.fromMs <= untilMs && event.untilMs >= fromMs,
    );
  }
}
