// One machine's opinion of one cell, from probes and from its own traffic. No clock and no I/O of its own.
import type { Evidence, Vote } from '../record.ts';
import { TrafficWindow } from './traffic-window.ts';

export type OpinionState = 'unknown' | 'up' | 'down';

/**
 * `FALL` bad observations in a row make a cell down, `RISE` good probes in a row make it up again; the very first
 * good probe is enough. A connection that could not be made counts like a failed probe, whoever made it. Answers
 * from traffic (resets, time-outs, 502 and 504) count by ratio, so that one tenant's bad requests condemn no cell.
 */
export class Opinion {
  readonly #fall: number;
  readonly #rise: number;
  #state: OpinionState = 'unknown';
  #bad = 0;
  #good = 0;
  #evidence: Evidence = 'unreachable';
  #reason = '';
  readonly #answers = new TrafficWindow();

  constructor(fall: number, rise: number) {
    this.#fall = fall;
    this.#rise = rise;
  }

  get state(): OpinionState {
    return this.#state;
  }

  /**
   * Whether this machine can not reach the cell at all, as against finding it ill. One good probe is enough to try it
   * again: a vote needs more, but the majority may have brought the cell back before this machine would.
   */
  get unreachable(): boolean {
    return this.#state === 'down' && this.#evidence === 'unreachable' && this.#good === 0;
  }

  /** The vote to cast; undefined while there is no opinion yet. */
  get vote(): Vote | undefined {
    if (this.#state === 'unknown') return undefined;
    if (this.#state === 'up') return { opinion: 'up' };
    return { opinion: 'down', evidence: this.#evidence, reason: this.#reason };
  }

  /** The one tenant that fails while the cell answers the others: for its sake the cell is not given up. */
  get failsAlone(): string | null {
    return this.#state === 'down' ? null : this.#answers.alone;
  }

  /** A probe that the cell answered well. */
  probeSucceeded(): void {
    this.#bad = 0;
    this.#good += 1;
    if (this.#state === 'unknown' || (this.#state === 'down' && this.#good >= this.#rise)) this.#become('up');
  }

  /** A failed probe, or a connection that could not be made. `reason`: words without addresses. */
  observeFailure(evidence: Evidence, reason: string): void {
    this.#good = 0;
    this.#bad += 1;
    if (this.#state === 'down') {
      // What it suffers from may change while it is down: unreachable and ill are told apart by the router.
      this.#evidence = evidence;
      this.#reason = reason;
    } else if (this.#bad >= this.#fall) this.#condemn(evidence, reason);
  }

  /** An answer (or the lack of one) to a request of a client. `nowMs`: any monotonic clock. */
  observeAnswer(bad: boolean, tenant: string | null, nowMs: number): void {
    this.#answers.count(bad, tenant, nowMs);
    if (bad && this.#state !== 'down' && this.#answers.exceeded) {
      this.#condemn('failing', `${this.#answers.words} were gateway errors`);
    }
  }

  #condemn(evidence: Evidence, reason: string): void {
    this.#evidence = evidence;
    this.#reason = reason;
    this.#become('down');
  }

  #become(state: OpinionState): void {
    this.#state = state;
    this.#good = 0;
    this.#bad = 0;
    this.#answers.forget();
  }
}
