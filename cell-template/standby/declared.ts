// STANDBY_OF: the homes whose standby this cell holds, as the environment names them.
import { CELL_NAME, isPostgresUrl } from '../names.ts';
import { PAIRED_NAME_BYTES } from './names.ts';

/** A home whose standby this cell holds, and the connection string of the home's own database. */
export type StandbyOf = { home: string; url: string };

const FORM = 'cell-a=postgres://user:password@host:port/database, separated by commas';

/** Every fault is found; none shows more of an entry than the name before its `=`, since URLs hold passwords. */
export function readStandbys(text: string): { standbys: StandbyOf[]; faults: string[] } {
  const standbys: StandbyOf[] = [];
  const faults: string[] = [];
  for (const entry of text.split(',').filter((part) => part.trim() !== '')) {
    const at = entry.indexOf('=');
    const home = entry.slice(0, Math.max(at, 0)).trim();
    const url = entry.slice(at + 1).trim();
    if (at < 0 || !CELL_NAME.test(home))
      faults.push(`an entry does not begin with the name of a cell (allowed: ${FORM})`);
    else if (!isPostgresUrl(url))
      faults.push(`what follows ${home}= is not a PostgreSQL URL (allowed: ${FORM})`);
    else if (home.length > PAIRED_NAME_BYTES) faults.push(nameTooLong(home));
    else if (standbys.some((known) => known.home === home))
      faults.push(`${home} is named twice (allowed: ${FORM})`);
    else standbys.push({ home, url });
  }
  return { standbys, faults };
}

/** What is wrong with the name of a cell that is part of a pair. */
export function nameTooLong(cell: string): string {
  return `${cell} is too long a name for a cell with a standby (allowed: ${PAIRED_NAME_BYTES} characters)`;
}
