// One event in one line: when, which cell, what became of it, why and by whom.
import { spelledOut } from '../../router/faults.ts';

type EventDetails = {
  phase?: string;
  share?: number;
  held?: string;
  pin?: { tenant: string; cell: string | null };
  cutOver?: { to?: string; from?: string; buckets: number; tenants: number };
  waitingFor?: string[];
  quarantine?: { tenant: string; what: string };
};

/** An event of `GET /v1/events`, as far as it is told. */
export type EventTold = {
  id: string;
  at: string;
  cell: string;
  from: string;
  to: string;
  epoch: number;
  cause: string;
  actor: string;
  reason: string;
  details: EventDetails | null;
};

export function eventText(event: EventTold): string {
  const { at, cell, from, to, epoch, cause, actor, reason } = event;
  const state = from === to ? to : `${from} → ${to}`;
  const what = [state, ...partsOf(event.details ?? {})].join(', ');
  return spelledOut(`${at} ${cell} epoch ${epoch}: ${what}; ${cause}, ${actor}: ${reason}`);
}

/** What the details say beside the state: of a handover how far it is, and of what; why a failover is held back; who is quarantined. */
function partsOf(details: EventDetails): string[] {
  const { phase, share, held, pin, cutOver, waitingFor, quarantine } = details;
  const parts: string[] = [];
  if (held !== undefined) parts.push(`held back (${held})`);
  if (phase !== undefined) parts.push(phase);
  if (pin !== undefined) parts.push(`pin of ${pin.tenant}: ${pin.cell ?? 'none'}`);
  else if (cutOver !== undefined) parts.push(cutOverText(cutOver));
  else if (share !== undefined) parts.push(`${share} % away`);
  if (quarantine !== undefined) parts.push(`quarantine of ${quarantine.tenant}: ${quarantine.what}`);
  if (waitingFor !== undefined) parts.push(`waited for ${waitingFor.join(' · ')}`);
  return parts;
}

function cutOverText({ to, from, buckets, tenants }: NonNullable<EventDetails['cutOver']>): string {
  const where = to === undefined ? `from ${from ?? '?'}` : `to ${to}`;
  return `cut-over ${where}: ${buckets} buckets, ${tenants} tenants`;
}
