// The whole measurement: every scenario on a fleet that is well, and a new fleet where one was not left so.
import { mkdirSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { startDurabilityFleet, type DurabilityFleet } from './fleet.ts';
import { LagWatch } from './lag-watch.ts';
import type { Played } from './measure.ts';
import { playScenario } from './play.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

export type RunOptions = {
  /** An empty folder for all files of the run. The caller removes it. */
  folder: string;
  cells: number;
  seed: number;
  quick: boolean;
  /** Of `SCENARIOS`. */
  scenarios: readonly Scenario[];
  /** No scenario is begun after so long. */
  limitMs: number;
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

export type Measured = {
  played: Played[];
  /** Scenarios from which the fleet did not recover, and why. */
  brokenOff: { scenario: string; why: string }[];
  /** Scenarios that were not begun: the limit was reached. */
  left: string[];
};

type Stage = { fleet: DurabilityFleet; lags: LagWatch; durability: string };

/** Plays them all. Throws when a fleet does not even start; whatever was started has ended. */
export async function runDurability(options: RunOptions): Promise<Measured> {
  const measured: Measured = { played: [], brokenOff: [], left: [] };
  const end = performance.now() + options.limitMs;
  // Each has its own names and chance, whichever scenarios are played beside it.
  const turns = options.scenarios.map((scenario) => ({ scenario, turn: SCENARIOS.indexOf(scenario) }));
  let stage: Stage | null = null;
  try {
    for (const { scenario, turn } of turns) {
      if (performance.now() > end) {
        measured.left.push(scenario.name);
        continue;
      }
      const { durability = 'async' } = scenario;
      if (stage !== null && stage.durability !== durability) {
        await strike(stage);
        stage = null;
      }
      stage ??= await setUp(options, durability, turn);
      const kept = await playOn(stage, scenario, turn, options, measured);
      if (!kept) stage = null;
    }
  } finally {
    if (stage !== null) await strike(stage);
  }
  return measured;
}

/** False: the fleet is gone, because it did not recover. */
async function playOn(
  stage: Stage,
  scenario: Scenario,
  turn: number,
  { seed, quick, say }: RunOptions,
  { played, brokenOff }: Measured,
): Promise<boolean> {
  const beganMs = performance.now();
  try {
    const one = await playScenario(stage.fleet, stage.lags, scenario, { seed, quick, turn });
    played.push(one);
    say(progressOf(one, performance.now() - beganMs));
    return true;
  } catch (error) {
    const why = wordsOf(error);
    brokenOff.push({ scenario: scenario.name, why });
    say(`${scenario.name}: broken off: ${why}`);
    await strike(stage);
    return false;
  }
}

async function setUp(options: RunOptions, durability: 'async' | 'sync', turn: number): Promise<Stage> {
  const folder = join(options.folder, String(turn));
  mkdirSync(folder);
  // PostgreSQL, another user under root, passes through them.
  for (const path of [options.folder, folder]) chmodSync(path, 0o711);
  const { cells, quick } = options;
  const fleet = await startDurabilityFleet({
    folder,
    cells,
    durability,
    ...(quick ? { neighbourLostMs: QUICK_NEIGHBOUR_LOST_MS } : {}),
  });
  return { fleet, lags: new LagWatch(fleet.cells), durability };
}

/** In place of the routers' own 30 s. */
const QUICK_NEIGHBOUR_LOST_MS = 4_000;

async function strike({ fleet, lags }: Stage): Promise<void> {
  await lags.stop();
  await fleet.close();
}

function progressOf(
  { scenario, writes, lost, doubled, conflicts, unavailableS, faults }: Played,
  tookMs: number,
): string {
  const figures = `${writes} acknowledged, ${lost} lost, ${doubled} doubled, ${conflicts} conflicts, ${unavailableS.toFixed(1)} s unavailable`;
  return [
    `${scenario}: ${figures} (${Math.round(tookMs / 1_000)} s)`,
    ...faults.map((fault) => `  ${fault}`),
  ].join('\n');
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
