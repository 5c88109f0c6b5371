// A home that lost its disk: its own database is empty, its standby is not. It serves nobody before it has all of it back.
import type { Logger } from 'pino';
import { standbyDatabase, withDatabase } from './names.ts';
import { Partner } from './partner.ts';

/** No database of that name. */
const NO_DATABASE = '3D000';

export type Found = 'recovering' | 'whole' | 'unknown';

/**
 * What the home's database at `url` is, as its standby at `neighbourUrl` tells: `recovering`: it was found empty while its
 * standby is not (now, or earlier, and was not filled yet). `unknown`: it is empty, and nobody could tell of the standby.
 */
export async function findRecovery(
  url: string,
  neighbourUrl: string | null,
  cell: string,
  logger: Logger,
): Promise<Found> {
  const own = new Partner(url);
  try {
    const [known] = await own.ask<{ recovering: boolean; ruled: boolean }>(
      `select exists (select from public.recovering where home = $1) as recovering,
         exists (select from public.rules where home = $1) as ruled`,
      [cell],
    );
    if (known?.recovering === true) return 'recovering';
    if (known?.ruled === true || neighbourUrl === null) return 'whole';
    const standby = await hasServed(withDatabase(neighbourUrl, standbyDatabase(cell)), cell);
    if (standby === 'recovering') {
      await own.ask('insert into public.recovering (home) values ($1) on conflict do nothing', [cell]);
      logger.warn(
        'the database is empty and its standby is not: serving nobody until it has been copied back',
      );
    }
    return standby;
  } finally {
    await own.close();
  }
}

/** All has been copied back: from now on the database is as good as before. */
export async function endRecovery(url: string, cell: string): Promise<void> {
  const own = new Partner(url);
  try {
    await own.ask('delete from public.recovering where home = $1', [cell]);
  } finally {
    await own.close();
  }
}

async function hasServed(standbyUrl: string, cell: string): Promise<Found> {
  const standby = new Partner(standbyUrl);
  try {
    const [schema] = await standby.ask<{ migrated: boolean }>(
      `select to_regclass('public.rules') is not null as migrated`,
    );
    if (schema?.migrated !== true) return 'whole';
    const [rule] = await standby.ask<{ ruled: boolean }>(
      'select exists (select from public.rules where home = $1) as ruled',
      [cell],
    );
    return rule?.ruled === true ? 'recovering' : 'whole';
  } catch (error) {
    return (error as { code?: string }).code === NO_DATABASE ? 'whole' : 'unknown';
  } finally {
    await standby.close();
  }
}
