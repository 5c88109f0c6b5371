// What all sections of the bench of the speed share: the machine, the cells, the load, and how long it all may take.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Cells } from './contenders/cells.ts';
import type { Setup } from './contenders/launch.ts';
import { driveAutocannon } from './speed-drive-autocannon.ts';
import type { Drive } from './speed-driver.ts';
import type { Machine } from './speed-machine.ts';
import type { Repeats } from './speed-repeats.ts';
import { randomFrom } from './statistics.ts';
import { driveWith } from './speed-wrk.ts';

export type DriverName = 'wrk' | 'autocannon';

export type Plan = {
  rounds: number;
  /** How long each is loaded in a round. */
  windowMs: number;
  /** How long each is loaded before the first round, every body compared; a just-in-time compiler needs that, too. */
  warmMs: number;
  /** How long a fixed rate is held in a round. */
  latencyMs: number;
  /** How many distinct tenants are sent where their number is to make no difference. */
  tenants: number;
};

export type Bench = {
  machine: Machine;
  folder: string;
  cells: Cells;
  driver: DriverName;
  drive: Drive;
  plan: Plan;
  repeats: Repeats;
  /** Told what is going on, a line at a time. */
  say: (line: string) => void;
};

/** Of the main table. */
export const FEW_TENANTS = { first: 0, count: 1_000 };
export const FEW_CELLS = 3;

/** The load that was asked for; else wrk where it is installed. Throws when what was asked for is not. */
export function driverFor(
  { tools }: Machine,
  wanted: DriverName | undefined,
): { driver: DriverName; drive: Drive } {
  if (wanted === 'autocannon' || (wanted === undefined && tools.wrk === null))
    return { driver: 'autocannon', drive: driveAutocannon };
  if (tools.wrk === null) throw new Error('wrk is not installed (Debian: apt-get install wrk)');
  return { driver: 'wrk', drive: driveWith(tools.wrk) };
}

/** What contenders of a section are started with: a folder of its own, and so many cells. */
export function setupFor({ machine, folder, cells }: Bench, section: string, count: number): Setup {
  const own = join(folder, section);
  mkdirSync(own, { recursive: true });
  return { machine, folder: own, cells: cells.first(count) };
}

/** The same things in another order in each round, so that none is always the first or behind the same one. Pure. */
export function inOrderOf<T>(round: number, things: readonly T[]): T[] {
  const random = randomFrom(round + 1);
  return things
    .map((thing) => ({ thing, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ thing }) => thing);
}
