// Which fleet is in force: a changed file is loaded at once, but takes effect when all live routers have loaded it.
import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from 'pino';
import type { Fleet } from './fleet.ts';
import { FleetFileError, loadFleet } from './load.ts';

const WATCH_INTERVAL_MS = 1_000;

/** What requests need of it. */
export type ActiveFleet = Pick<FleetHolder, 'active' | 'onActivate'>;

export class FleetHolder {
  #active: Fleet;
  #pending: { fleet: Fleet; loadedAtMs: number } | null = null;
  #refused = false;
  readonly #path: string;
  readonly #activateMs: number;
  readonly #log: Logger;
  readonly #listeners: ((fleet: Fleet) => void)[] = [];

  /** Loads the file at `path`. Throws `FleetFileError` when it is wrong: a router never starts half loaded. */
  constructor(path: string, activateMs: number, log: Logger) {
    this.#path = path;
    this.#activateMs = activateMs;
    this.#log = log;
    this.#active = loadFleet(path);
  }

  /** The fleet in force. */
  get active(): Fleet {
    return this.#active;
  }

  /** Digest of the newest file that this router has loaded, in force or not: what its beat tells. */
  get loadedDigest(): string {
    return this.#pending?.fleet.digest ?? this.#active.digest;
  }

  /** Whether the file on disk was refused and an older one goes on. */
  get fileRefused(): boolean {
    return this.#refused;
  }

  onActivate(listener: (fleet: Fleet) => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at the file's status each second: this sees renames and mounted links, which file events may miss. */
  watch(): void {
    watchFile(this.#path, { interval: WATCH_INTERVAL_MS, persistent: false }, () => this.reload());
  }

  unwatch(): void {
    unwatchFile(this.#path);
  }

  /** Loads the file anew. A wrong one changes nothing: its faults are logged, and the old fleet goes on. */
  reload(): void {
    let fleet: Fleet;
    try {
      fleet = loadFleet(this.#path);
    } catch (error) {
      if (!(error instanceof FleetFileError)) throw error;
      this.#refused = true;
      this.#log.error({ faults: error.faults }, 'fleet file refused, the old fleet goes on');
      return;
    }
    this.#refused = false;
    if (fleet.digest === this.loadedDigest) return;
    if (fleet.digest === this.#active.digest) {
      this.#pending = null;
      this.#log.info({ digest: fleet.digest }, 'fleet file is as before, the pending one is dropped');
      return;
    }
    this.#pending = { fleet, loadedAtMs: performance.now() };
    this.#log.info({ digest: fleet.digest }, 'fleet file loaded, takes effect when all live routers have it');
  }

  /** `digests`: what each live router has loaded. Activates the pending fleet when they agree or time is up. */
  consider(digests: readonly string[]): void {
    const pending = this.#pending;
    if (pending === null) return;
    const agreed = digests.length > 0 && digests.every((digest) => digest === pending.fleet.digest);
    if (agreed) this.#activate(pending.fleet, 'all live routers have it');
    else if (performance.now() - pending.loadedAtMs >= this.#activateMs) {
      this.#activate(pending.fleet, 'waited long enough for the other routers');
    }
  }

  #activate(fleet: Fleet, why: string): void {
    this.#active = fleet;
    this.#pending = null;
    this.#log.info({ digest: fleet.digest, why }, 'fleet in force');
    for (const listener of this.#listeners) listener(fleet);
  }
}
