// A home that lost its disk: its own database is empty, its standby is not. It serves nobody before it has all of it back.
import type { Logger } from 'pino';
import { Loop } from '../loop.ts';
import { standbyDatabase, withDatabase } from './names.ts';
import { Partner } from './partner.ts';

/** No database of that name. */
const NO_DATABASE = '3D000';
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
  #found: Found = 'unknown';

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Looks once, and goes on until the database is known to be whole. To be awaited before anything is copied back. */
  async start(): Promise<void> {
    this.#found = await this.#find();
    if (this.#found === 'recovering')
      this.#options.logger.warn(
        'the database is empty and its standby is not: serving nobody until it is copied back',
      );
    if (this.#found === 'whole') this.#whole.resolve();
    else this.#loop.start();
  }

  /** Resolves once the database is known to be whole. */
  get whole(): Promise<void> {
    return this.#whole.promise;
  }

  /** Whether the cell's own tenants are to be refused. */
  get isUnderWay(): boolean {
    return this.#found === 'recovering';
  }

  /**
   * Whether a rule of this home may be gone by. One that has changed before says that the home has served; while its
   * database is empty, and the standby can not be asked, nobody knows what it lost.
   */
  mayTake({ home, epoch }: { home: string; epoch: number }): boolean {
    return home !== this.#options.cellId || epoch === 1 || this.#found !== 'unknown';
  }

  close(): Promise<void> {
    return this.#loop.close();
  }

  async #look(): Promise<void> {
    if (this.#found === 'unknown') this.#found = await this.#find().catch(() => 'unknown' as const);
    else if (this.#found === 'recovering' && this.#options.isCopied())
      await this.#end().catch(() => undefined);
    if (this.#found !== 'whole') return;
    this.#whole.resolve();
    void this.#loop.close();
  }

  /** All has been copied back: from now on the database is as good as before. */
  async #end(): Promise<void> {
    await asking(this.#options.url, (own) =>
      own.ask('delete from public.recovering where home = $1', [this.#options.cellId]),
    );
    this.#options.logger.warn('the database has been copied back from the standby');
    this.#found = 'whole';
  }

  async #find(): Promise<Found> {
    const { url, neighbourUrl, cellId } = this.#options;
    if (neighbourUrl === null) return 'whole';
    return asking(url, async (own) => {
      const [known] = await own.ask<{ recovering: boolean; ruled: boolean }>(
        `select exists (select from public.recovering where home = $1) as recovering,
           exists (select from public.rules where home = $1) as ruled`,
        [cellId],
      );
      if (known?.recovering === true) return 'recovering';
      if (known?.ruled === true) return 'whole';
      const found = await askStandby(withDatabase(neighbourUrl, standbyDatabase(cellId)), cellId);
      if (found === 'recovering')
        await own.ask('insert into public.recovering (home) values ($1) on conflict do nothing', [cellId]);
      return found;
    });
  }
}

/** A home has served once a rule of it was brought: its standby has that rule. */
async function askStandby(url: string, cellId: string): Promise<Found> {
  try {
    return await asking(url, async (standby) => {
      const [schema] = await standby.ask<{ migrated: boolean }>(
        `select to_regclass('public.rules') is not null as migrated`,
      );
      if (schema?.migrated !== true) return 'whole';
      const rules = await standby.ask('select from public.rules where home = $1', [cellId]);
      return rules.length > 0 ? 'recovering' : 'whole';
    });
  } catch (error) {
    return (error as { code?: string }).code === NO_DATABASE ? 'whole' : 'unknown';
  }
}

async function asking<T>(url: string, work: (partner: Partner) => Promise<T>): Promise<T> {
  const partner = new Partner(url);
  try {
    return await work(partner);
  } finally {
    await partner.close();
  }
}
