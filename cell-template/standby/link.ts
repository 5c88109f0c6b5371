// One direction of a pair: looks twice a second at both ends of a subscription, keeps it as it shall be, and says how far it is.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import { Loop } from '../loop.ts';
import { isCopied, nextStep, type Published, type Subscribed, type Wanted } from './link-step.ts';
import { lookHere, lookThere, systemOf } from './look.ts';
import { connectionOf, slotOf } from './names.ts';
import { Partner } from './partner.ts';
import { copiedFor, holderOf, noteCopied, ruledNeighbour } from './neighbours.ts';
import { Standings, type Standing } from './standings.ts';
import { configure, refresh, subscribe, unsubscribe } from './subscription.ts';

const LOOK_MS = 500;
/** While tables are copied. */
const LOOK_COPYING_MS = 100;
/** A copy that fails for so long is begun anew. */
const STUCK_MS = 30_000;
/** A look that hangs on a server that is gone is not waited for at the end. */
const CLOSE_LIMIT_MS = 1_000;

export type LinkOptions = {
  /** The cell that looks after it. */
  owner: string;
  /** Whose standby is fed; null: what guests wrote comes home. */
  standbyOf: string | null;
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
  readonly #standings: Standings;
  #subscriber: string | null = null;
  #publisher: string | null = null;
  #holder: string | null = null;
  #prepared = false;
  /** At the look before: this one's may be of commits that the publisher made since it was asked. */
  #appliedBefore = 0n;
  #complaint = '';
  #copyingSinceMs = Number.NEGATIVE_INFINITY;
  #copiedFor: { neighbour: string | null } | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#here = new Partner(options.subscriberUrl);
    this.#there = new Partner(options.publisherUrl);
    this.#standings = new Standings(options.subscription, this.#here);
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
    return this.#standings.now;
  }

  /** Milliseconds since both ends were last seen together; infinite: never. */
  get silentMs(): number {
    return this.#standings.silentMs;
  }

  /** The system identifier of the publisher's server, as at the last contact; null: there was none since the start. */
  get publisher(): string | null {
    return this.#publisher;
  }

  /** Of what guests wrote: the cell that holds the standby it comes from, as at the last contact. */
  get holder(): string | null {
    return this.#holder;
  }

  /** Ends the looks; the subscription goes on without them. */
  async close(): Promise<void> {
    await Promise.race([this.#loop.close(), pause(CLOSE_LIMIT_MS, undefined, { ref: false })]);
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
    return this.standing.state === 'copying' && this.silentMs < LOOK_MS ? LOOK_COPYING_MS : LOOK_MS;
  }

  async #look(): Promise<void> {
    const { subscription, prepare } = this.#options;
    this.#subscriber ??= await this.#askSubscriber();
    const there = await this.#lookThere();
    if (there !== null && !this.#prepared) {
      await prepare(this.#there);
      this.#prepared = true;
      this.#subscriber ??= await systemOf(this.#here);
    }
    const here = await lookHere(this.#here, subscription);
    await this.#standings.recall(here);
    if (there === null) return;
    this.#publisher = there.system;
    if (this.#options.standbyOf === null && there.tables > 0) this.#holder = await holderOf(this.#there);
    this.#standings.weigh(here, there);
    await this.#improve(here, there);
    await this.#standings.save();
  }

  /** Before the first contact with the publisher the database may not be there yet. */
  async #askSubscriber(): Promise<string | null> {
    return systemOf(this.#here).catch((error: unknown) => {
      if (this.#prepared) throw error;
      return null;
    });
  }

  async #lookThere(): Promise<Published | null> {
    try {
      const slot = this.#subscriber === null ? '' : slotOf(this.#options.subscription, this.#subscriber);
      return await lookThere(this.#there, slot);
    } catch (error) {
      this.#prepared = false;
      this.#complain(error);
      return null;
    }
  }

  async #improve(here: Subscribed | null, there: Published): Promise<void> {
    const { subscription, logger } = this.#options;
    const wanted = this.#wanted(here, there);
    if (wanted === null) return;
    const before = here === null ? null : { ...here, applied: this.#appliedBefore };
    const isLacking = here !== null && ((await this.#lacksGuests()) || this.#isStuck());
    const step = isLacking ? 'recreate' : nextStep(before, there, wanted);
    this.#appliedBefore = step === 'none' && here !== null ? here.applied : 0n;
    if (step === 'none') return;
    logger.info({ subscription, step }, 'replication is set up');
    if (step === 'recreate') await unsubscribe(this.#here, subscription);
    if (step === 'create' || step === 'recreate') await this.#copy(wanted);
    else if (step === 'configure') await configure(this.#here, subscription, wanted);
    else await refresh(this.#here, subscription);
  }

  async #copy(wanted: Wanted): Promise<void> {
    const { subscription, standbyOf } = this.#options;
    const ruled = standbyOf === null ? null : await ruledNeighbour(this.#there, standbyOf);
    this.#copyingSinceMs = performance.now();
    await subscribe(this.#here, this.#there, subscription, wanted);
    await noteCopied(this.#here, subscription, ruled);
    this.#copiedFor = { neighbour: ruled };
  }

  /**
   * What guests wrote at a former neighbour came home with an origin, and was not sent on: a copy that was made while another
   * cell was the neighbour lacks it.
   */
  async #lacksGuests(): Promise<boolean> {
    const { owner, subscription, standbyOf } = this.#options;
    if (standbyOf === null) return false;
    this.#copiedFor ??= { neighbour: await copiedFor(this.#here, subscription) };
    const { neighbour } = this.#copiedFor;
    if (neighbour === null || neighbour === owner) return false;
    return (await ruledNeighbour(this.#there, standbyOf)) === owner;
  }

  /** Its copy goes on failing: the slot that it copies by may be gone. */
  #isStuck(): boolean {
    if (this.standing.state !== 'copying') return false;
    return this.#standings.isFailing && performance.now() - this.#copyingSinceMs > STUCK_MS;
  }

  #wanted(here: Subscribed | null, { tables }: Published): Wanted | null {
    const { publisherUrl, subscription, synchronousCommit } = this.#options;
    if (this.#subscriber === null) return null;
    const state = isCopied(here, tables) ? 'synced' : 'copying';
    const connection = connectionOf(publisherUrl, subscription, state);
    const slot = slotOf(subscription, this.#subscriber);
    return { subscriber: this.#subscriber, slot, connection, synchronousCommit };
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
