// What every bench is as a process: a folder of its own, its flags, and nothing left behind however it ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { killAllChildren } from './child.ts';

/** The exit code of a flag that is not understood, and of a tool that is missing. */
export const BAD_INPUT = 2;

/** Its command line; `description` says what it does, and when the exit code is 1. */
export function benchCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : BAD_INPUT));
}

/** The value of a flag: a whole number from 1 to 999,999,999. */
export function wholeNumber(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('allowed: a whole number from 1 on');
  return Number(value);
}

/** Runs it in an empty folder, and sets the exit code to its answer. Ctrl-C ends every process and removes the folder. */
export async function runBench(run: (folder: string) => Promise<number>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-bench-'));
  const clean = async (): Promise<void> => {
    await killAllChildren();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => void clean().finally(() => process.exit(code)));
  }
  try {
    process.exitCode = await run(folder);
  } catch (error) {
    process.stderr.write(`cellgate: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    await clean();
  }
}
