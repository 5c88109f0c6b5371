// Whether a database may be used for a request now: a standby for guests, and the cell's own while it is filled again. Pure.
import type { GuestPolicy } from '../config.ts';
import { Refusal } from '../errors.ts';
import type { Standing } from './standings.ts';

export type Terms = {
  policy: GuestPolicy;
  /** Seconds. */
  maxLagS: number;
};

/** Throws a `Refusal` for a guest that may not do this. `standing`: of the standby of its home; null: there is none here. */
export function admitGuest(standing: Standing | null, writes: boolean, { policy, maxLagS }: Terms): void {
  if (standing === null) throw new Refusal('no-standby', 'this cell has no copy of that home');
  if (policy === 'none') throw new Refusal('guests-refused', 'this cell takes no guests');
  // One that is copied once more has all that it had before.
  if (standing.state === 'copying' && standing.lagSeconds === null)
    throw new Refusal('no-standby', 'the copy of that home is not complete yet');
  if (!writes) return;
  if (policy === 'read-only') throw new Refusal('guests-read-only', 'guests may only read here');
  if ((standing.lagSeconds ?? 0) > maxLagS)
    throw new Refusal('guests-read-only', 'the copy of that home is too old to be written to');
}

/**
 * Throws a `Refusal` while the cell's own database is being filled again, and for a write that no standby would confirm.
 * `confirms`: whether it does just now; null: writes need no second disk.
 */
export function admitHome(recovering: boolean, confirms: boolean | null, writes: boolean): void {
  if (recovering) throw new Refusal('recovering', 'the cell lost its data and is copying them back');
  if (writes && confirms === false)
    throw new Refusal('standby-silent', 'the standby that is to confirm each write does not answer');
}

/** Methods that change nothing (RFC 9110, section 9.2.1). */
export function isWrite(method: string): boolean {
  return !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);
}
