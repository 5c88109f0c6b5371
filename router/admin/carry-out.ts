// Carries an operator's change out by a handover, and says in words what came of it.
import type { FastifyReply } from 'fastify';
import type { HealthRecord } from '../health/record.ts';
import { StoreUnavailable, type Change, type ChangeRefusal, type StoreTrouble } from '../health/store.ts';
import { describeRecord } from './describe.ts';
import { handOver, type HandOverAnswer, type HandOverParts } from './hand-over.ts';
import { problem } from './problem.ts';

/** What can be in the way, in words; `docs/admin.md` tells of each. */
export const WHY: Readonly<Record<ChangeRefusal['refused'] | 'other-fleets', string>> = {
  'not-found': 'No router has told the store of this cell yet.',
  'no-neighbour': 'This cell has no neighbour.',
  'target-away': "The neighbour's own tenants are at this cell.",
  'target-down': 'The cell that would gain tenants is not up.',
  'target-drained': 'The neighbour is drained.',
  'no-standby': 'The neighbour has no synced standby of this cell.',
  'not-caught-up': 'The home lacks some of what its neighbour has written meanwhile.',
  'already-away': 'All tenants of the cell are away already, or they are on their way home.',
  'handover-under-way': 'Another handover of this cell is under way.',
  'old-routers': 'A live router is of a release that can not take part in a handover.',
  'warming-up': 'The store has not heard all routers yet. Ask again in a few seconds.',
  'not-at-home': 'Both homes must serve all of their tenants themselves, and none of them be pinned.',
  'third-cell': 'A pin is to the home or to its neighbour. Elsewhere a tenant has to be moved.',
  'other-fleets': 'Not every live router has this fleet file in force.',
  'too-many-pins': 'The home has as many pins as one can have.',
  'too-many-moves':
    'The record of the old home can not hold more ranges, or tenants, that were moved from it.',
};

/** Why the store decides nothing, in words. What it said itself stands beside the first alone: the others say all. */
const TROUBLE: Readonly<Record<StoreTrouble, (said: string) => string>> = {
  silent: (said) => `The store of the verdicts does not answer: ${said}.`,
  behind: () =>
    'The store of the verdicts lost records, and has not got them back yet. Ask again in a few seconds.',
  passive: () => 'The store of the verdicts is led by a newer release: ask a router of that release.',
  untold: () =>
    'Nobody told in time how the handover ended. It may have taken effect: look at the cell before you ask again.',
};

/** Answers with the record once the change is in force, or with why it is not. A client that hangs up is not waited for. */
export async function carryOut(
  reply: FastifyReply,
  parts: HandOverParts,
  change: Change,
): Promise<FastifyReply> {
  const answer = await carryOutEach(reply, parts, [() => change]);
  return 'sent' in answer ? answer.sent : reply.send(answer.records.map(describeRecord)[0]);
}

/** The same of several, one after the other: the records, or what was sent for the first that is not in force. */
export async function carryOutEach(
  reply: FastifyReply,
  parts: HandOverParts,
  changes: readonly (() => Change)[],
): Promise<{ records: HealthRecord[] } | { sent: FastifyReply }> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const records: HealthRecord[] = [];
  try {
    for (const change of changes) {
      const answer = await handOver(parts, change(), gone.signal);
      if (!('record' in answer)) return { sent: refuseWith(reply, answer) };
      records.push(answer.record);
    }
    return { records };
  } catch (error) {
    return { sent: storeUnavailable(reply, error) };
  }
}

function refuseWith(reply: FastifyReply, answer: Exclude<HandOverAnswer, { record: unknown }>): FastifyReply {
  if (answer.refused === 'handover-undone') {
    const { waitingFor } = answer;
    return problem(reply, answer.refused, 'The handover was not confirmed in time, and undone.', {
      waitingFor,
    });
  }
  if (answer.refused === 'handover-under-way') {
    return problem(reply, 'handover-undone', WHY[answer.refused], { waitingFor: [] });
  }
  return refuse(reply, answer);
}

/** `rule`: the safety rule to overrule, or where none can be the name of what is in the way. */
export function refuse(
  reply: FastifyReply,
  { refused, rule }: { refused: keyof typeof WHY; rule: string | null },
): FastifyReply {
  if (refused === 'not-found' || refused === 'warming-up')
    return problem(reply, 'store-unavailable', WHY[refused]);
  return problem(reply, 'safety-rule', WHY[refused], { rule: rule ?? refused });
}

/** Whatever else was thrown is thrown again. */
export function storeUnavailable(reply: FastifyReply, error: unknown): FastifyReply {
  if (!(error instanceof StoreUnavailable)) throw error;
  return problem(reply, 'store-unavailable', TROUBLE[error.trouble](error.message));
}
