// PEM files on disk, watched: what they hold now, and word of every change that is sound.
import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { faultLine, type Fault } from '../faults.ts';

export { expiresAtMs, matches } from './pem.ts';

/** File events can be missed, on mounted folders above all. */
const POLL_MS = 30_000;
/** Files that belong together are replaced one after the other: the look is taken when it is quiet again. */
const QUIET_MS = 100;
/** What does not fit is looked at again after this time. */
const AGAIN_MS = 1_000;

/** The files can not be used; `faults` names each one by its logical name. Holds nothing of their content. */
export class PemError extends Error {
  override name = 'PemError';
  readonly faults: Fault[];
  constructor(faults: Fault[]) {
    super(faults.map(faultLine).join('\n'));
    this.faults = faults;
  }
}

export class PemFiles<N extends string> {
  readonly #names: readonly N[];
  readonly #paths: Record<N, string>;
  readonly #check: (content: Record<N, Buffer>) => void;
  readonly #log: Logger;
  readonly #listeners: (() => void)[] = [];
  #content: Record<N, Buffer>;
  /** Why the files on disk are not taken, as it was last logged; null: they are. */
  #refused: string | null = null;
  #watchers: FSWatcher[] = [];
  #poll: NodeJS.Timeout | null = null;
  #look: NodeJS.Timeout | null = null;

  /**
   * Reads the files. `paths`: by the variable that names each. `check` throws when they do not fit together. Throws
   * `PemError` with every fault: nothing starts with files that can not be used.
   */
  constructor(paths: Record<N, string>, check: (content: Record<N, Buffer>) => void, log: Logger) {
    this.#names = Object.keys(paths) as N[];
    this.#paths = paths;
    this.#check = check;
    this.#log = log;
    this.#content = this.#read();
  }

  /** The last sound content. */
  get content(): Record<N, Buffer> {
    return this.#content;
  }

  /** Whether the files on disk do not fit and older content goes on. */
  get refused(): boolean {
    return this.#refused !== null;
  }

  /** Called after a sound change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  watch(): void {
    this.unwatch();
    if (this.#names.length === 0) return;
    this.#watchFolders();
    this.#poll = setInterval(() => {
      // A folder may have been replaced since: what was watched is gone then.
      this.#watchFolders();
      this.reload();
    }, POLL_MS).unref();
  }

  unwatch(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    if (this.#poll !== null) clearInterval(this.#poll);
    if (this.#look !== null) clearTimeout(this.#look);
    this.#poll = null;
    this.#look = null;
  }

  /** Reads the files anew. What does not fit is logged once, keeps the old content, and is tried again while watched. */
  reload(): void {
    let content: Record<N, Buffer>;
    try {
      content = this.#read();
    } catch (error) {
      if (!(error instanceof PemError)) throw error;
      if (error.message !== this.#refused)
        this.#log.error({ faults: error.faults }, 'PEM files refused, the old ones go on');
      this.#refused = error.message;
      if (this.#poll !== null) this.#lookIn(AGAIN_MS);
      return;
    }
    this.#refused = null;
    if (this.#names.every((name) => content[name].equals(this.#content[name]))) return;
    this.#content = content;
    this.#log.info({ files: this.#names }, 'PEM files loaded');
    for (const listener of this.#listeners) listener();
  }

  /** The folders, not the files: those are replaced by a rename, or by another target of a link beside them. */
  #watchFolders(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    const folders = new Set(this.#names.map((name) => dirname(this.#paths[name])));
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookIn(QUIET_MS));
        // The poll goes on, and opens it again.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        this.#log.warn({ code, pollMs: POLL_MS }, 'a folder of PEM files can not be watched, only polled');
      }
    }
  }

  #lookIn(ms: number): void {
    if (this.#look !== null) clearTimeout(this.#look);
    this.#look = setTimeout(() => this.reload(), ms).unref();
  }

  #read(): Record<N, Buffer> {
    const content: Partial<Record<N, Buffer>> = {};
    const faults: Fault[] = [];
    for (const name of this.#names) {
      try {
        content[name] = readFileSync(this.#paths[name]);
      } catch (error) {
        const { code = 'unknown error' } = error as NodeJS.ErrnoException;
        faults.push({ path: name, problem: `can not be read (${code})` });
      }
    }
    if (faults.length > 0) throw new PemError(faults);
    const whole = content as Record<N, Buffer>;
    try {
      this.#check(whole);
    } catch (error) {
      if (error instanceof PemError) throw error;
      const problem = error instanceof Error ? error.message : 'can not be used';
      throw new PemError([{ path: this.#names.join(', '), problem }]);
    }
    return whole;
  }
}
