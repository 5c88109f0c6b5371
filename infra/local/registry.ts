// One small file for each local fleet that runs, so that the CLI finds it, and the next `npm start` what it left.
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, Failure } from '../failure.ts';
import { isAlive, type ProcessMark } from './process-mark.ts';

export type Entry = {
  /** The runner itself. */
  runner: ProcessMark;
  port: number;
  adminPort: number;
  /** Its temporary folder, and its control socket (which may be elsewhere: socket paths are short). */
  folder: string;
  socket: string;
  children: (ProcessMark & { name: string })[];
  dataDirs: string[];
};

/**
 * The folder of this user's entries. What is written there is trusted with signals and removals, so it throws a
 * `Failure` when anybody else could write in it: the name can be foreseen, and the temporary folder is shared.
 */
export function registryFolder(): string {
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `cellgate-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0) {
    throw new Failure(
      EXIT.no,
      `${folder} is not a folder of yours alone: remove it, or set TMPDIR to another place`,
    );
  }
  return folder;
}

function fileOf(runner: ProcessMark): string {
  return join(registryFolder(), `${runner.pid}.json`);
}

/** Writes or rewrites the runner's entry, whole or not at all. */
export function writeEntry(entry: Entry): void {
  const file = fileOf(entry.runner);
  writeFileSync(`${file}.new`, JSON.stringify(entry), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeEntry({ runner }: Pick<Entry, 'runner'>): void {
  rmSync(fileOf(runner), { force: true });
}

/** All entries: of runners that live, and of those that are gone. */
export function readEntries(): { live: Entry[]; stale: Entry[] } {
  const folder = registryFolder();
  const all: { live: Entry[]; stale: Entry[] } = { live: [], stale: [] };
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const entry = parse(join(folder, name));
    if (entry !== undefined) all[isAlive(entry.runner) ? 'live' : 'stale'].push(entry);
  }
  return all;
}

/** `undefined` for one that was removed meanwhile. */
function parse(file: string): Entry | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Entry;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Failure(EXIT.no, `${file} can't be read as a fleet's entry: remove it`);
  }
}
