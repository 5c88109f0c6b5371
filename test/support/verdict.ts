// Decisions for tests: a situation in which only what a test is about needs to be said.
import { decide, type Decision } from '../../router/health/verdicts/decide.ts';
import type { DecideInput } from '../../router/health/verdicts/decision.ts';
import type { HealthRecord, HeldWhy, Vote } from '../../router/health/record.ts';
import type { Confirmation } from '../../router/health/store.ts';

export const NOW = 100_000;

export type Situation = Pick<
  DecideInput,
  | 'homes'
  | 'minDwellMs'
  | 'neighbourLostMs'
  | 'maxFailedOver'
  | 'warmingUp'
  | 'handoverMs'
  | 'requiresStandby'
  | 'handsOver'
  | 'oneFleet'
> & {
  /** One entry a machine: `r1`, `r2` … */
  votes: Record<string, Vote>[];
  records: HealthRecord[];
  /** One entry a machine, as `votes`; by default none has confirmed anything. */
  confirmations: Record<string, Confirmation>[];
  lost: Record<string, number>;
  held: Record<string, HeldWhy>;
};

export function decided(situation: Partial<Situation> & Pick<Situation, 'homes' | 'votes'>): Decision {
  const { votes, records, confirmations, lost, held, ...rest } = situation;
  return decide({
    now: NOW,
    minDwellMs: 0,
    neighbourLostMs: 30_000,
    maxFailedOver: 0.34,
    warmingUp: false,
    handoverMs: 2_000,
    requiresStandby: false,
    handsOver: true,
    oneFleet: true,
    confirmations: new Map(votes.map((_, i) => [`r${i + 1}`, confirmations?.[i] ?? {}])),
    ...rest,
    live: liveOf(votes),
    records: new Map(records?.map((record) => [record.home, record])),
    lost: new Map(Object.entries(lost ?? {})),
    held: new Map(Object.entries(held ?? {})),
  });
}

export function liveOf(votes: Record<string, Vote>[]): DecideInput['live'] {
  return new Map(votes.map((ofMachine, i) => [`r${i + 1}`, ofMachine]));
}

/** All machines' votes where all say the same. */
export function everyone(votes: Record<string, Vote>, machines = 3): Record<string, Vote>[] {
  return Array.from({ length: machines }, () => votes);
}
