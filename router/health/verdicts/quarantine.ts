// The quarantine: tenants whose requests no cell is asked to serve. Its words, and the pure rules of its list;
// `scripts/quarantine.lua` keeps the same ones.
import { initialRecord, type Cause, type EventEntry, type HealthRecord } from '../record.ts';

/** More tenants than this are never refused together: something else is wrong then. */
export const QUARANTINE_MAX = 1_000;

/** How long a tenant is refused that nobody put there by hand. */
const QUARANTINE_MS = 600_000;

/** Why one tenant is refused, and until when. Times are epoch milliseconds of the store's clock. */
export type QuarantineEntry = {
  until: number;
  since: number;
  tenant: string;
  /** The cell it was at home in. */
  home: string;
  /** The name of the operator's token; `quorum`: the routers found it. */
  actor: string;
  /** Null where nobody put it there by hand. */
  owner: string | null;
  reason: string;
};

/** Null: it is refused no more. */
export type QuarantineChange = { tenant: string; entry: QuarantineEntry | null };

/** An operator's wish to refuse a tenant; one that is refused already is refused by this from now on. */
export type QuarantineWish = {
  tenant: string;
  home: string;
  actor: string;
  reason: string;
  owner: string;
  expiresInMs: number;
};

/** An operator's wish to let a tenant in again. */
export type ReleaseWish = Pick<QuarantineWish, 'tenant' | 'actor' | 'reason' | 'owner'>;

/** Of a tenant that the routers found: what they saw, for the event. */
export type Culprit = {
  tenant: string;
  home: string;
  reason: string;
  saw: { died: string[] } | { failing: string };
};

export type QuarantineStep = { changes: QuarantineChange[]; events: EventEntry[] };

/** What was decided goes by these records: an event names the state and the epoch of the tenant's home. */
type Situation = { now: number; records: ReadonlyMap<string, HealthRecord> };

type Said = {
  what: 'added' | 'removed' | 'expired';
  cause: Extract<Cause, 'operator' | 'unreachable' | 'expired'>;
  actor: string;
  owner: string | null;
  reason: string;
  saw?: Culprit['saw'];
};

/** The list after an operator's wish. The same tenant once more is a change of its end and its reason. */
export function quarantineByHand(
  { tenant, home, actor, owner, reason, expiresInMs }: QuarantineWish,
  list: ReadonlyMap<string, QuarantineEntry>,
  situation: Situation,
): QuarantineStep | null {
  const { now } = situation;
  if (!list.has(tenant) && list.size >= QUARANTINE_MAX) return null;
  const said = { actor, owner, reason };
  const entry = { until: now + expiresInMs, since: now, tenant, home, ...said };
  const event = eventOf(entry, { ...said, what: 'added', cause: 'operator' }, situation);
  return { changes: [{ tenant, entry }], events: [event] };
}

/** The list after a release; null: the tenant is not on it. */
export function releaseByHand(
  { tenant, ...said }: ReleaseWish,
  list: ReadonlyMap<string, QuarantineEntry>,
  situation: Situation,
): QuarantineStep | null {
  const entry = list.get(tenant);
  if (entry === undefined) return null;
  const event = eventOf(entry, { ...said, what: 'removed', cause: 'operator' }, situation);
  return { changes: [{ tenant, entry: null }], events: [event] };
}

/** Lets out whose time is over, in the order of their names, and then takes the culprits in, as far as there is room. */
export function quarantineBySight(
  culprits: readonly Culprit[],
  list: ReadonlyMap<string, QuarantineEntry>,
  situation: Situation,
): QuarantineStep {
  const { now } = situation;
  const over = [...list.values()].filter((entry) => isOver(entry, now)).sort(byTenant);
  const left = new Set(list.keys());
  for (const { tenant } of over) left.delete(tenant);
  const step: QuarantineStep = {
    changes: over.map(({ tenant }) => ({ tenant, entry: null })),
    events: over.map((entry) => eventOf(entry, expired(entry), situation)),
  };
  for (const { tenant, home, reason, saw } of culprits) {
    if (left.has(tenant) || left.size >= QUARANTINE_MAX) continue;
    left.add(tenant);
    const said = { actor: 'quorum', owner: null, reason };
    const entry = { until: now + QUARANTINE_MS, since: now, tenant, home, ...said };
    step.changes.push({ tenant, entry });
    step.events.push(eventOf(entry, { ...said, what: 'added', cause: 'unreachable', saw }, situation));
  }
  return step;
}

/** A clock that was set back must not keep a tenant out for as long as it was set back. */
export function isOver({ since, until }: QuarantineEntry, now: number): boolean {
  return Math.abs(now - since) >= until - since;
}

/** In the order of the bytes of their names. */
export function byTenant(a: QuarantineEntry, b: QuarantineEntry): number {
  return Buffer.compare(Buffer.from(a.tenant), Buffer.from(b.tenant));
}

function expired({ owner }: QuarantineEntry): Said {
  return { what: 'expired', cause: 'expired', actor: 'quorum', owner, reason: 'the quarantine expired' };
}

function eventOf(
  { tenant, home, until }: QuarantineEntry,
  { what, cause, actor, owner, reason, saw }: Said,
  { now, records }: Situation,
): EventEntry {
  const { state, epoch } = records.get(home) ?? initialRecord(home, null);
  const details = { quarantine: { tenant, what, until, owner }, ...saw };
  return { at: now, cell: home, from: state, to: state, epoch, cause, actor, reason, details };
}
