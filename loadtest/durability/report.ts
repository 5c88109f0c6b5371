// From what was measured of durability to a judged table, a line for each scenario. Pure.
import { table } from '../../infra/table.ts';
import type { Played } from './measure.ts';
import type { Measured } from './run.ts';

export type Judgement = 'met' | 'missed' | 'broken off' | 'not played';

/** Whether every claim holds of one scenario. */
export function judge(one: Played): Judgement {
  const { lost, mayBeLost, doubled, stale, unequal, unfinished, faults } = one;
  const holds = lost <= mayBeLost && doubled + stale + unequal + unfinished + faults.length === 0;
  return holds ? 'met' : 'missed';
}

/** Whether every scenario was played to its end, and every claim held. */
export function durabilityMet({ played, brokenOff, left }: Measured): boolean {
  return brokenOff.length + left.length === 0 && played.every((one) => judge(one) === 'met');
}

const HEAD = [
  'scenario',
  'acknowledged',
  'lost',
  'doubled',
  'conflicts',
  'stale',
  'unequal',
  'unavailable, s',
  'lag at the death',
  'hold, ms',
  '',
];

const NOTES = [
  'lost (acknowledged, and neither there nor listed as a conflict), doubled, stale (reads older than what was acknowledged',
  'before them), unequal (rows that a home and its standby do not have in common, or that lie elsewhere): the target of each is 0.',
  'With a lost disk and asynchronous replication: lost / how many the lag that was shown last did not cover. unavailable: the',
  'longest that a client tried one write. lag: bytes / seconds, as the neighbour showed it last. hold: the longest answer while',
  'tenants were handed over as planned.',
].join('\n');

/** The table as printed, with every fault that was found under it. */
export function printedDurability({ played, brokenOff, left }: Measured): string {
  const lines = played.map((one) => [
    one.scenario,
    String(one.writes),
    one.mayBeLost === 0 ? String(one.lost) : `${one.lost} / ${one.mayBeLost}`,
    ...[one.doubled, one.conflicts, one.stale, one.unequal + one.unfinished].map(String),
    one.unavailableS.toFixed(1),
    one.lag === null ? '–' : `${one.lag.bytes ?? '?'} / ${one.lag.seconds ?? '?'}`,
    one.holdMs === null ? '–' : String(Math.round(one.holdMs)),
    judge(one),
  ]);
  const none = (scenario: string, judgement: Judgement): string[] => [
    scenario,
    ...HEAD.slice(2).map(() => '–'),
    judgement,
  ];
  const others = [
    ...brokenOff.map(({ scenario }) => none(scenario, 'broken off')),
    ...left.map((scenario) => none(scenario, 'not played')),
  ];
  const faults = [
    ...played.flatMap(({ scenario, faults }) => faults.map((fault) => `${scenario}: ${fault}`)),
    ...brokenOff.map(({ scenario, why }) => `${scenario}: broken off: ${why}`),
  ];
  return [table(HEAD, [...lines, ...others]), NOTES, ...faults].join('\n');
}
