// The last known records on disk, so that a router that starts without its store still knows who served whom.
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { HealthRecord } from './record.ts';
import { readRecord } from './redis/wire.ts';

export class Snapshot {
  readonly #path: string;
  readonly #log: Logger;
  #writing: Promise<void> = Promise.resolve();
  #next: readonly HealthRecord[] | null = null;

  /** `path`: `SNAPSHOT_FILE`. */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * The records in the file that are well formed; none where there is no file, or nothing of use in it. `whole`: these
   * are all that there were, so that nothing had happened to any other home.
   */
  read(): { records: HealthRecord[]; whole: boolean } {
    try {
      const content = JSON.parse(readFileSync(this.#path, 'utf8')) as { records?: unknown };
      if (!Array.isArray(content.records)) throw new TypeError('no records');
      const read = content.records.map((one) => readRecord(JSON.stringify(one)));
      return { records: read.filter((one) => one !== null), whole: !read.includes(null) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#log.warn(
          { reason: (error as NodeJS.ErrnoException).code ?? 'malformed' },
          'snapshot can not be read',
        );
      }
      return { records: [], whole: false };
    }
  }

  /** Writes the records, whole or not at all: to a file beside it first. Of many at once only the last is written. */
  write(records: readonly HealthRecord[]): void {
    const idle = this.#next === null;
    this.#next = records;
    if (idle) this.#writing = this.#writing.then(() => this.#writeNext());
  }

  /** Resolves when what was to be written is on its way to the disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeNext(): Promise<void> {
    const records = this.#next;
    this.#next = null;
    const beside = `${this.#path}.${process.pid}.new`;
    try {
      await writeFile(beside, JSON.stringify({ records }), { mode: 0o600 });
      await rename(beside, this.#path);
    } catch (error) {
      // A full disk must not stop a router: it goes on, and says so.
      this.#log.error(
        { reason: (error as NodeJS.ErrnoException).code ?? 'unknown' },
        'snapshot can not be written',
      );
    }
  }
}
