// One direction of a pair: looks twice a second at both ends of a subscription, keeps it as it shall be, and says how far it is.
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { Loop } from '../loop.ts';
import { LagMeter } from './lag.ts';
import { isCopied, nextStep, type Published, type Subscribed, type Wanted } from './link-step.ts';
import { lookHere, lookThere } from './look.ts';
import { connectionOf } from './names.ts';
import { Partner } from './partner.ts';
import { configure, refresh, subscribe, unsubscribe } from './subscription.ts';

const LOOK_MS = 500;
/** While tables are copied. */
const LOOK_COPYING_MS = 100;
/** A worker that fails is started again after `wal_retrieve_retry_interval`: without a new error for this long it works. */
const ERROR_MEMORY_MS = 4_000;
const SAVE_MS = 5_000;

/** `lagBytes` and `lagSeconds` null: the publisher was never reached. */
export type Standing = {
  state: 'synced' | 'copying' | 'broken';
  lagBytes: number | null;
  lagSeconds: number | null;
};

export type LinkOptions = {
  subscription: string;
  /** The database that is fed, as this cell reaches it, and the one that feeds it, as this cell and the first one do. */
  subscriberUrl: string;
  publisherUrl: string;
  /** Of the transactions that apply what arrives; `local`: what is confirmed is on the disk. */
  synchronousCommit: 'off' | 'local';
  /** Called before the first look, and again when the publisher was lost and is back; tried again when it rejects. */
  prepare: (publisher: Partner) => Promise<void>;
  logger: Logger;
};

export class Link {
  readonly #options: LinkOptions;
  readonly #here: Partner;
  readonly #there: Partner;
  readonly #loop: Loop;
  readonly #lag = new LagMeter();
  #standing: Standing = { state: 'copying', lagBytes: null, lagSeconds: null };
  #contactMs = Number.NEGATIVE_INFINITY;
  #prepared = false;
  #recalled = false;
  #errors: { count: number; sinceMs: number } | null = null;
  #complaint = '';
  #savedMs = Number.NEGATIVE_INFINITY;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#here = new Partner(options.subscriberUrl);
    this.#there = new Partner(options.publisherUrl);
    this.#loop = new Loop(
      (closing) => this.#lookOrComplain(closing),
      () => this.#pauseMs(),
    );
  }

  start(): void {
    this.#loop.start();
  }

  /** As at the last contact with the publisher. */
  get standing(): Standing {
    return this.#standing;
  }

  /** Milliseconds since both ends were last seen together; infinite: never. */
  get silentMs(): number {
    return performance.now() - this.#contactMs;
  }

  /** Ends the looks; the subscription goes on without them. */
  async close(): Promise<void> {
    await this.#loop.close();
    await Promise.all([this.#here.close(), this.#there.close()]);
  }

  async #lookOrComplain(closing: AbortSignal): Promise<void> {
    try {
      await this.#look();
      this.#complaint = '';
    } catch (error) {
      if (!closing.aborted) this.#complain(error);
    }
  }

  #pauseMs(): number {
    return this.#standing.state === 'copying' && this.silentMs < LOOK_MS ? LOOK_COPYING_MS : LOOK_MS;
  }

  async #look(): Promise<void> {
    const { subscription, prepare } = this.#options;
    const there = await this.#lookThere();
    if (there !== null && !this.#prepared) {
      await prepare(this.#there);
      this.#prepared = true;
    }
    const here = await lookHere(this.#here, subscription);
    if (!this.#recalled) await this.#recall(here);
    if (there === null) return;
    this.#weigh(here, there);
    await this.#improve(here, there);
    await this.#save();
  }

  async #lookThere(): Promise<Published | null> {
    try {
      return await lookThere(this.#there, this.#options.subscription);
    } catch (error) {
      this.#prepared = false;
      this.#complain(error);
      return null;
    }
  }

  #weigh(here: (Subscribed & { applied: bigint }) | null, there: Published): void {
    const now = performance.now();
    if (here === null || there.confirmed === null || !isCopied(here)) {
      this.#standing = { ...this.#standing, state: 'copying' };
    } else {
      const confirmed = there.confirmed > here.applied ? there.confirmed : here.applied;
      const { bytes, seconds } = this.#lag.look(there.lsn, confirmed, now);
      const state = this.#isFailing(here, now) ? 'broken' : 'synced';
      this.#standing = { state, lagBytes: bytes, lagSeconds: seconds };
    }
    this.#contactMs = now;
  }

  /** Whether its worker died of an error lately: one error may be a race that the next try wins, so it must last. */
  #isFailing({ errors, running }: Subscribed, now: number): boolean {
    this.#errors ??= { count: errors, sinceMs: Number.NEGATIVE_INFINITY };
    if (errors !== this.#errors.count) this.#errors = { count: errors, sinceMs: now };
    if (now - this.#errors.sinceMs < ERROR_MEMORY_MS) return true;
    return !running && this.#standing.state === 'broken';
  }

  async #improve(here: Subscribed | null, there: Published): Promise<void> {
    const { subscription, logger } = this.#options;
    const wanted = this.#wanted(here);
    const step = nextStep(here, there, wanted);
    if (step === 'none') return;
    logger.info({ subscription, step }, 'replication is set up');
    if (step === 'recreate') await unsubscribe(this.#here, subscription);
    if (step === 'create' || step === 'recreate')
      await subscribe(this.#here, this.#there, subscription, wanted);
    else if (step === 'configure') await configure(this.#here, subscription, wanted);
    else await refresh(this.#here, subscription);
  }

  #wanted(here: Subscribed | null): Wanted {
    const { publisherUrl, subscription, synchronousCommit } = this.#options;
    const state = isCopied(here) ? 'synced' : 'copying';
    return { connection: connectionOf(publisherUrl, subscription, state), synchronousCommit };
  }

  /** After a restart: as it was when the publisher was last seen, be it away now. */
  async #recall(here: Subscribed | null): Promise<void> {
    const [row] = await this.#here.ask<{ bytes: string; seconds: number }>(
      'select lag_bytes as bytes, lag_seconds as seconds from public.looks where subscription = $1',
      [this.#options.subscription],
    );
    this.#recalled = true;
    if (row === undefined) return;
    const state = isCopied(here) ? 'synced' : 'copying';
    this.#standing = { state, lagBytes: Number(row.bytes), lagSeconds: row.seconds };
  }

  async #save(): Promise<void> {
    const { state, lagBytes, lagSeconds } = this.#standing;
    if (state === 'copying' || performance.now() - this.#savedMs < SAVE_MS) return;
    await this.#here.ask(
      `insert into public.looks (subscription, lag_bytes, lag_seconds) values ($1, $2, $3)
       on conflict (subscription) do update
         set lag_bytes = excluded.lag_bytes, lag_seconds = excluded.lag_seconds, looked_at = clock_timestamp()`,
      [this.#options.subscription, lagBytes, lagSeconds],
    );
    this.#savedMs = performance.now();
  }

  /** Once for each reason: it is tried again twice a second. Messages of PostgreSQL may hold connection strings: no detail. */
  #complain(error: unknown): void {
    const { code } = error as { code?: string };
    const reason = code ?? messageOf(error);
    if (reason === this.#complaint) return;
    this.#complaint = reason;
    this.#options.logger.warn(
      { subscription: this.#options.subscription, code },
      'replication cannot be looked at',
    );
  }
}
