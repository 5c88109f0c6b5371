// The budget: how many cells may be failed over by verdict at once. Pure; `scripts/budget.lua` reckons the same.
import type { DecideInput } from './decision.ts';
import { isAwayByVerdict, standing } from './handover.ts';
import type { HealthRecord, HomeRule } from '../record.ts';
import { tally } from './tally.ts';

/**
 * Whether `home` may join the cells that are failed over by verdict: as the only one, or while all of them together are
 * at most `maxFailedOver` of the fleet's weight, or in one and the same zone of a fleet with two or more. Past that
 * the fault is more likely the routers' own.
 */
export function withinBudget(
  home: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  input: DecideInput,
): boolean {
  const { homes, maxFailedOver } = input;
  const together = [...homes.filter((rule) => countsAsAway(rule, records, input)), home];
  if (together.length === 1) return true;
  const zones = new Set(homes.flatMap(({ zone }) => zone ?? []));
  const sameZone = home.zone !== null && together.every(({ zone }) => zone === home.zone);
  if (sameZone && zones.size >= 2) return true;
  return weightOf(together) <= maxFailedOver * weightOf(homes);
}

/**
 * What an operator sent away does not count, nor do cells whose neighbour is down too: nobody carries their load. One on its
 * way home counts until all of it is there.
 */
function countsAsAway(
  { home }: HomeRule,
  records: ReadonlyMap<string, HealthRecord>,
  { live }: DecideInput,
): boolean {
  const record = records.get(home);
  if (record === undefined || record.neighbour === null) return false;
  return isAwayByVerdict(standing(record)) && tally(live, record.neighbour).verdict !== 'down';
}

function weightOf(rules: readonly HomeRule[]): number {
  return rules.reduce((sum, { buckets }) => sum + buckets, 0);
}
