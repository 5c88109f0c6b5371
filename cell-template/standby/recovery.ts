// A home that lost its disk: its own database is empty, its standby is not. It serves nobody before it has all of it back.
import type { Logger } from 'pino';
import { Loop } from '../loop.ts';
import { standbyDatabase, withDatabase } from './names.ts';
import { NO_DATABASE, withPartner } from './partner.ts';

const LOOK_MS = 250;

/**
 * `recovering`: it was found empty while its standby is not, now or at an earlier start, and was not filled yet.
 * `unknown`: it is empty, and nobody could tell of its standby.
 */
type Found = 'recovering' | 'whole' | 'unknown';

export type RecoveryOptions = {
  cellId: string;
  /** The cell's own database. */
  url: string;
  neighbourUrl: string | null;
  /** Whether all that the standby has was copied. */
  isCopied: () => boolean;
  logger: Logger;
};

export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #loop = new Loop(
    () => this.#look(),
    () => LOOK_MS,
  );
  readonly #whole = Promise.withResolvers<void>();
  readonly #decided = Promise.withResolvers<void>();
  #refused = false;
  #serving = false;
  #found: Found = 'unknown';

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Looks once, and goes on until the database is known to be whole. */
  async start(): Promise<void> {
    this.#found = await this.#find();
    if (this.#found !== 'unknown') this.#decide();
    this.#loop.start();
  }

  /** Resolves once the database is known to be whole, or is served from as that of a new cell. */
  get whole(): Promise<void> {
    return this.#whole.promise;
  }

  /**
   * Resolves once it is known whether there is anything to recover. Before that nothing may be copied back: a database that is
   * half filled looks like one that never was empty.
   */
  get decided(): Promise<void> {
    return this.#decided.promise;
  }

  /** Whether the cell's own tenants are to be refused, so that the neighbour serves them. */
  get servesNobody(): boolean {
    return this.#found === 'recovering' || (this.#found === 'unknown' && this.#refused);
  }

  /**
   * Whether a rule may be gone by. One that has changed before says that the home has served; while its database is empty,
   * and the standby can not be asked, nobody knows what it lost. By a first one it serves: a new cell waits for nobody.
   */
  mayTake({ home, epoch }: { home: string; epoch: number }): boolean {
    if (home !== this.#options.cellId || this.#found !== 'unknown') return true;
    // One that has begun to serve goes on: what was lost before is not more lost by that.
    if (epoch === 1) this.#serves();
    this.#refused = !this.#serving;
    return this.#serving;
  }

  close(): Promise<void> {
    return this.#loop.close();
  }

  #serves(): void {
    this.#serving = true;
    // Its later work waits for nobody, either.
    this.#whole.resolve();
  }

  async #look(): Promise<void> {
    if (this.#found === 'unknown') {
      this.#found = await this.#find().catch(() => 'unknown' as const);
      if (this.#found !== 'unknown') this.#decide();
    } else if (this.#found === 'recovering' && this.#options.isCopied())
      await this.#end().catch(() => undefined);
    if (this.#found !== 'whole') return;
    this.#whole.resolve();
    void this.#loop.close();
  }

  #decide(): void {
    if (this.#found === 'recovering')
      this.#options.logger.warn(
        'the database is empty and its standby is not: serving nobody until it is copied back',
      );
    this.#decided.resolve();
  }

  /** All has been copied back: from now on the database is as good as before. */
  async #end(): Promise<void> {
    await withPartner(this.#options.url, (own) =>
      own.ask('delete from public.recovering where home = $1', [this.#options.cellId]),
    );
    this.#options.logger.warn('the database has been copied back from the standby');
    this.#found = 'whole';
  }

  async #find(): Promise<Found> {
    const { url, neighbourUrl, cellId } = this.#options;
    if (neighbourUrl === null) return 'whole';
    return withPartner(url, async (own) => {
      const [known] = await own.ask<{ id: string; asked: boolean | null; ruled: boolean }>(
        `select (select id from public.identity) as id, (select asked from public.recovering where home = $1) as asked,
           exists (select from public.rules where home = $1) as ruled`,
        [cellId],
      );
      if (known === undefined || known.asked === true) return 'recovering';
      // What is there may have come by a first rule while nobody could be asked: that says nothing of what was lost.
      if (known.asked === null && known.ruled) return 'whole';
      if (known.asked === false && known.ruled) this.#serves();
      const found = await askStandby(withDatabase(neighbourUrl, standbyDatabase(cellId)), known.id);
      if (found === 'whole') await own.ask('delete from public.recovering where home = $1', [cellId]);
      else await own.ask(REMEMBER, [cellId, found === 'recovering']);
      return found;
    });
  }
}

const REMEMBER = `insert into public.recovering (home, asked) values ($1, $2)
  on conflict (home) do update set asked = excluded.asked`;

/** What another database wrote, the lost one or the standby itself, is missing here. `id`: this database's identity. */
async function askStandby(url: string, id: string): Promise<Found> {
  try {
    return await withPartner(url, async (standby) => {
      const [schema] = await standby.ask<{ migrated: boolean }>(
        `select to_regclass('public.identity') is not null as migrated`,
      );
      if (schema?.migrated !== true) return 'whole';
      const rows = await standby.ask('select from public.orders where writer <> $1 limit 1', [id]);
      return rows.length > 0 ? 'recovering' : 'whole';
    });
  } catch (error) {
    return (error as { code?: string }).code === NO_DATABASE ? 'whole' : 'unknown';
  }
}
