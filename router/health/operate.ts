// What an operator may force: safety rules by name instead of votes. Pure; `scripts/operate.lua` decides the same.
import { opinionsOf, recordIn, stepped, type DecideInput } from './decision.ts';
import type { EventEntry, HealthRecord } from './record.ts';
import type { FailOver, FailOverRefusal, SafetyRule } from './store.ts';
import { tally } from './tally.ts';

const TEXT_MAX = 200;

type Situation = Pick<DecideInput, 'now' | 'live' | 'records'>;

/** The changed record and its event, or why not. The budget does not bind an operator. */
export function forcedFailover(
  wish: FailOver,
  situation: Situation,
): { record: HealthRecord; event: EventEntry } | FailOverRefusal {
  const { home, neighbour, override } = wish;
  const { records, live } = situation;
  const known = records.has(home) || [...live.values()].some((votes) => Object.hasOwn(votes, home));
  if (!known) return { refused: 'not-found', rule: null };
  const record = recordIn(records, home);
  if (record.state !== 'serving') return { refused: 'already-away', rule: null, record };
  if (neighbour === null || neighbour === home) return { refused: 'no-neighbour', rule: null };
  const standIn = recordIn(records, neighbour);
  // Each would stand in for the other: whichever died, its own tenants and its guests would be lost together.
  if (standIn.target === home) return { refused: 'target-away', rule: null };
  const broken: SafetyRule[] = [];
  if (tally(live, neighbour).verdict !== 'up') broken.push('target-up');
  if (standIn.state === 'drained') broken.push('target-not-drained');
  const [rule] = broken.filter((one) => !override.includes(one));
  if (rule !== undefined) return { refused: rule === 'target-up' ? 'target-down' : 'target-drained', rule };
  return forced(record, neighbour, wish, broken, situation);
}

function forced(
  from: HealthRecord,
  neighbour: string,
  wish: FailOver,
  overruled: SafetyRule[],
  { now, live }: Situation,
): { record: HealthRecord; event: EventEntry } {
  const { actor, reason, owner } = wish;
  const deadline = now + wish.expiresInMs;
  const cause = 'operator';
  const step = { state: 'failed-over', target: neighbour, cause, reason, deadline } as const;
  const record = stepped(from, neighbour, step, now);
  const votes = opinionsOf(live, from.home);
  const details = { target: neighbour, owner, deadline, overruled, votes };
  const { home: cell, state: to, epoch } = record;
  return { record, event: { at: now, cell, from: from.state, to, epoch, cause, actor, reason, details } };
}

/** The same wish, its words cut to 200 characters of well-formed Unicode, its time whole and not negative. */
export function boundedWish(wish: FailOver): FailOver {
  const cut = (text: string): string => text.slice(0, TEXT_MAX).toWellFormed();
  const expiresInMs = Math.max(0, Math.trunc(wish.expiresInMs));
  return { ...wish, actor: cut(wish.actor), reason: cut(wish.reason), owner: cut(wish.owner), expiresInMs };
}
