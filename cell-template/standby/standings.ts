// How a subscription stands: its state and its lag, as at the last contact with its publisher, also across a restart.
import { Failures } from './failures.ts';
import { LagMeter } from './lag.ts';
import { isCopied, type Published, type Subscribed } from './link-step.ts';
import type { Partner } from './partner.ts';

const SAVE_MS = 5_000;

/** `lagBytes` and `lagSeconds` null: it was never complete. */
export type Standing = {
  state: 'synced' | 'copying' | 'broken';
  lagBytes: number | null;
  lagSeconds: number | null;
};

export class Standings {
  readonly #subscription: string;
  readonly #here: Partner;
  readonly #lag = new LagMeter();
  #now: Standing = { state: 'copying', lagBytes: null, lagSeconds: null };
  #contactMs = Number.NEGATIVE_INFINITY;
  #recalled = false;
  readonly #failures = new Failures();
  #saved: { state: Standing['state']; atMs: number } | null = null;

  /** `here`: the database that is fed, where it is kept. */
  constructor(subscription: string, here: Partner) {
    this.#subscription = subscription;
    this.#here = here;
  }

  get now(): Standing {
    return this.#now;
  }

  /** Milliseconds since both ends were last seen together; infinite: never. */
  get silentMs(): number {
    return performance.now() - this.#contactMs;
  }

  /** After a restart: as it was when the publisher was last seen, be it away now. What it wrote since is not here yet. */
  async recall(here: Subscribed | null): Promise<void> {
    if (this.#recalled) return;
    const [row] = await this.#here.ask<{
      state: Standing['state'];
      bytes: string;
      seconds: number;
      ago: number;
    }>(
      `select state, lag_bytes as bytes, lag_seconds as seconds,
         extract(epoch from clock_timestamp() - looked_at)::float8 as ago
       from public.looks where subscription = $1`,
      [this.#subscription],
    );
    this.#recalled = true;
    // Without a subscription it was ended on purpose: what is there may be of any age.
    if (row === undefined || here === null) return;
    const state = isCopied(here) ? row.state : 'copying';
    this.#now = { state, lagBytes: Number(row.bytes), lagSeconds: row.seconds };
    const now = performance.now();
    this.#lag.begin(now - 1_000 * (row.seconds + Math.max(0, row.ago)));
    if (state === 'broken') this.#failures.recall(now);
  }

  /** Both ends were seen. */
  weigh(here: Subscribed | null, there: Published): void {
    const now = performance.now();
    if (here === null || there.confirmed === null || !isCopied(here, there.tables)) {
      if (here !== null) this.#failures.look(here.errors, here.applied, now);
      this.#now = { ...this.#now, state: 'copying' };
    } else {
      const confirmed = there.confirmed > here.applied ? there.confirmed : here.applied;
      const { bytes, seconds } = this.#lag.look(there.lsn, confirmed, now);
      this.#now = { state: this.#stateOf(here, now), lagBytes: bytes, lagSeconds: seconds };
    }
    this.#contactMs = now;
  }

  /** While there is no worker nobody knows: it stays what it was. */
  #stateOf({ errors, applied, running }: Subscribed, now: number): Standing['state'] {
    this.#failures.look(errors, applied, now);
    if (this.#failures.last) return 'broken';
    return running ? 'synced' : this.#now.state;
  }

  /** Whether nothing gets any further, also while tables are copied. */
  get isFailing(): boolean {
    return this.#failures.last;
  }

  /** Keeps it for the next start, each few seconds and when the state changes. */
  async save(): Promise<void> {
    const { state, lagBytes, lagSeconds } = this.#now;
    if (lagBytes === null) return;
    const isNews = this.#saved?.state !== state || performance.now() - this.#saved.atMs > SAVE_MS;
    if (!isNews) return;
    await this.#here.ask(
      `insert into public.looks (subscription, state, lag_bytes, lag_seconds) values ($1, $2, $3, $4)
       on conflict (subscription) do update set state = excluded.state,
         lag_bytes = excluded.lag_bytes, lag_seconds = excluded.lag_seconds, looked_at = clock_timestamp()`,
      [this.#subscription, state, lagBytes, lagSeconds],
    );
    this.#saved = { state, atMs: performance.now() };
  }
}
