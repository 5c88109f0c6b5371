// What an operator may force: safety rules by name instead of votes. Pure; `scripts/operate.lua` decides the same.
import { isKnown } from './change.ts';
import { atOnce, eventOf, recordIn, type DecideInput } from './decision.ts';
import { leansOn } from './handover.ts';
import type { EventEntry, HealthRecord } from '../record.ts';
import type { FailOver, FailOverRefusal, SafetyRule } from '../store.ts';
import { lacksStandby } from './stand-in.ts';
import { tally } from './tally.ts';

const TEXT_MAX = 200;

/** What is answered where a safety rule binds. */
const REFUSED: Record<
  Exclude<SafetyRule, 'caught-up'>,
  Extract<FailOverRefusal, { rule: SafetyRule }>['refused']
> = {
  'target-up': 'target-down',
  'target-not-drained': 'target-drained',
  'standby-synced': 'no-standby',
};

type Situation = Pick<DecideInput, 'now' | 'live' | 'records'>;

/** The changed record and its event, or why not. The budget does not bind an operator, and a handover does not stop him. */
export function forcedFailover(
  wish: FailOver,
  situation: Situation,
): { record: HealthRecord; event: EventEntry } | FailOverRefusal {
  const { home, override } = wish;
  const { records, live } = situation;
  if (!isKnown(home, situation)) return { refused: 'not-found', rule: null };
  const record = recordIn(records, home, wish.neighbour);
  const { neighbour } = record;
  if (record.share === 100 && record.phase === 'open') return stillAway(record, wish, situation);
  if (neighbour === null || neighbour === home) return { refused: 'no-neighbour', rule: null };
  const standIn = recordIn(records, neighbour);
  // Each would stand in for the other: whichever died, its own tenants and its guests would be lost together.
  if (leansOn(standIn, home)) return { refused: 'target-away', rule: null };
  const broken: (keyof typeof REFUSED)[] = [];
  if (tally(live, neighbour).verdict !== 'up') broken.push('target-up');
  if (standIn.state === 'drained') broken.push('target-not-drained');
  if (lacksStandby(neighbour, home, live, wish)) broken.push('standby-synced');
  const [rule] = broken.filter((one) => !override.includes(one));
  if (rule !== undefined) return { refused: REFUSED[rule], rule };
  return forced(record, wish, broken, situation);
}

/** All are there already, whoever sent them: from now on the operator says until when. Nobody moves, no rule can be broken. */
function stillAway(
  from: HealthRecord,
  wish: FailOver,
  situation: Situation,
): { record: HealthRecord; event: EventEntry } {
  const deadline = situation.now + wish.expiresInMs;
  const record = {
    ...from,
    cause: 'operator',
    deadline,
    epoch: from.epoch + 1,
    since: situation.now,
  } as const;
  return { record, event: told(from, record, wish, [], situation) };
}

function forced(
  from: HealthRecord,
  wish: FailOver,
  overruled: SafetyRule[],
  situation: Situation,
): { record: HealthRecord; event: EventEntry } {
  const deadline = situation.now + wish.expiresInMs;
  const away = { state: 'failed-over', share: 100, cause: 'operator', deadline, relapses: 0 } as const;
  const record = atOnce(from, away, situation.now);
  return { record, event: told(from, record, wish, overruled, situation) };
}

function told(
  from: HealthRecord,
  record: HealthRecord,
  { actor, reason, owner }: FailOver,
  overruled: SafetyRule[],
  situation: Situation,
): EventEntry {
  const { target, deadline } = record;
  const details = { target, owner, deadline, overruled };
  return eventOf(from, record, { actor, cause: 'operator', reason, details }, situation);
}

/** The same wish, its words cut to 200 characters of well-formed Unicode, its time whole and not negative. */
export function boundedWish<W extends Pick<FailOver, 'actor' | 'reason' | 'owner' | 'expiresInMs'>>(
  wish: W,
): W {
  const cut = (text: string): string => text.slice(0, TEXT_MAX).toWellFormed();
  const expiresInMs = Math.max(0, Math.trunc(wish.expiresInMs));
  return { ...wish, actor: cut(wish.actor), reason: cut(wish.reason), owner: cut(wish.owner), expiresInMs };
}
