// The options of commands that change something: who, why, for how long, and which safety rules are overruled.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { EXIT, Failure } from '../failure.ts';

/** `override`: names of safety rules; empty: none. */
export type EndOptions = { reason: string; owner: string; override: string[]; json?: boolean };
/** `expiresIn` is in seconds. */
export type StayOptions = EndOptions & { expiresIn: number };

const LONGEST_S = 604_800;
const SECONDS_IN: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 };

/** What ends something, or brings it back, needs. `json`: what it prints as JSON. */
export function withEnd(command: Command, json = 'the new record, as JSON'): Command {
  return command
    .requiredOption('--reason <text>', 'why: it stands in the event')
    .requiredOption('--owner <name>', 'who answers for it')
    .addOption(
      new Option('--override <rule>', 'a safety rule to overrule, by name; may be given again')
        .argParser((rule, rules: string[]) => [...rules, rule])
        .default([], 'none'),
    )
    .option('--json', json);
}

/** What stays until its time has passed needs that, too. */
export function withStay(command: Command): Command {
  return withEnd(command).requiredOption(
    '--expires-in <time>',
    'when it ends by itself: 45s, 30m, 2h, 7d, or seconds',
    readSeconds,
  );
}

/** `90`, `90s`, `30m`, `2h`, `7d` → whole seconds, a week at most. */
export function readSeconds(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(digits ?? 0) * (SECONDS_IN[unit] ?? 1);
  if (seconds >= 1 && seconds <= LONGEST_S) return seconds;
  throw new InvalidArgumentError('Allowed: 45s, 30m, 2h, 7d, or seconds; a week at most.');
}

/** The same, and none at all. */
export function readPause(text: string): number {
  return text === '0' ? 0 : readSeconds(text);
}

/** `50` → 50. */
export function readPercent(text: string): number {
  const percent = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (percent >= 1 && percent <= 100) return percent;
  throw new InvalidArgumentError('Allowed: whole, 1–100.');
}

/** `10,50,100` → [10, 50, 100]. */
export function readSteps(text: string): number[] {
  const steps = text.split(',').map((step) => readPercent(step.trim()));
  if (steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? 0))) return steps;
  throw new InvalidArgumentError('Each step is to be greater than the one before.');
}

/** The shares to go through, the last of which is the one that is meant. Throws a `Failure` (2) for options that contradict. */
export function stagesOf({ percent, steps = [] }: { percent?: number; steps?: number[] }): number[] {
  const last = percent ?? steps.at(-1);
  if (last === undefined) throw new Failure(EXIT.badInput, '--percent is missing (allowed: 1–100)');
  if (steps.some((step) => step > last)) {
    throw new Failure(EXIT.badInput, `--steps goes beyond --percent (allowed: up to ${last})`);
  }
  return steps.at(-1) === last ? steps : [...steps, last];
}

/**
 * Those of the stages that are still to come for a cell of which so much is away: one that was gone through before would
 * take tenants back, only to send them away again. Where less than now is meant in the end, all of them.
 */
export function stagesFrom(
  stages: readonly number[],
  { share, phase }: { share: number; phase?: string },
): number[] {
  const last = stages.at(-1) ?? 0;
  if (last < share) return [...stages];
  // In closing the share is not in force yet, and may be undone: asked for again, it changes nothing but its end.
  const isToCome = (stage: number): boolean => stage > share || (stage === share && phase === 'closing');
  return stages.filter((stage) => isToCome(stage) || stage === last);
}
