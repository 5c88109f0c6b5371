// Request lines, in the form of all other lines of the log. They hold no query string, no token and no tenant.
import { pino, type Logger } from 'pino';
import type { Config } from '../config.ts';

/** One request as its line in the log tells it. */
export type RequestLine = {
  /** A token (RFC 9110, section 5.6.2). */
  method: string;
  /** The class of the route: `tenant`, or the path of the fleet file's route. Never the client's own path. */
  route: string;
  /** 499: the client left before an answer. */
  status: number;
  code: string | null;
  cell: string | null;
  role: string | null;
  /** Milliseconds to the head of the answer; null when there was none. */
  headMs: number | null;
  durationMs: number;
  /** Without quotes and backslashes (`telemetry/trace.ts`). */
  requestId: string;
};

type Settings = Pick<Config, 'ACCESS_LOG' | 'SLOW_MS'>;

/** So much is written to a pipe as a whole, whoever else writes to it (POSIX, `PIPE_BUF`). */
const WRITE_MOST_BYTES = 4_096;

const INFO = 30;
const WARN = 40;

/**
 * The lines that `ACCESS_LOG` asks for: `errors` are refusals, 5xx, and slow ones. Those of one turn of the event loop are
 * written together, at its end: by pino each would be an object first, and a write of its own.
 */
export class AccessLog {
  readonly #stream: { write(lines: string): void };
  readonly #what: Config['ACCESS_LOG'];
  readonly #slowMs: number;
  readonly #levels: { info: boolean; warn: boolean };
  /** What every line of this process says of it. */
  readonly #about: string;
  #lines = '';
  #atMs = 0;
  #at = '';

  /** `log`: whose stream, level and bindings these lines have, too. */
  constructor(log: Logger, { ACCESS_LOG, SLOW_MS }: Settings) {
    this.#stream = (log as unknown as Record<symbol, { write(lines: string): void }>)[
      pino.symbols.streamSym
    ] as { write(lines: string): void };
    this.#what = ACCESS_LOG;
    this.#slowMs = SLOW_MS;
    this.#levels = { info: log.isLevelEnabled('info'), warn: log.isLevelEnabled('warn') };
    this.#about = JSON.stringify(log.bindings()).slice(1, -1);
  }

  /** Whether such a request gets a line. `waitMs`: how long its client waited for an answer. */
  wants(status: number, code: string | null, waitMs: number): boolean {
    if (this.#what !== 'errors') return this.#what === 'all';
    return code !== null || status >= 500 || waitMs >= this.#slowMs;
  }

  /** A 5xx of a cell is a warning; the router's own refusal is not. */
  write(line: RequestLine): void {
    const isWarning = line.status >= 500 && line.code === null;
    if (!(isWarning ? this.#levels.warn : this.#levels.info)) return;
    const text = this.#textOf(line, isWarning ? WARN : INFO);
    if (this.#lines === '') setImmediate(this.flush);
    else if (this.#lines.length + text.length > WRITE_MOST_BYTES) this.flush();
    this.#lines += text;
  }

  /** Writes what is still to be written, at the end of a turn and of the process. */
  readonly flush = (): void => {
    if (this.#lines === '') return;
    this.#stream.write(this.#lines);
    this.#lines = '';
  };

  /** Of all values only the route may need an escape: it comes from the fleet file, the others are of narrow alphabets. */
  #textOf(line: RequestLine, level: number): string {
    const { method, route, status, code, cell, role, headMs, durationMs, requestId } = line;
    const about = this.#about === '' ? '' : `,${this.#about}`;
    return (
      `{"level":${level},"time":"${this.#now()}"${about},"method":"${method}","route":${JSON.stringify(route)},` +
      `"status":${status},"code":${quoted(code)},"cell":${quoted(cell)},"role":${quoted(role)},` +
      `"headMs":${headMs},"durationMs":${durationMs},"requestId":"${requestId}","msg":"request"}\n`
    );
  }

  /** ISO 8601; made once a millisecond. */
  #now(): string {
    const nowMs = Date.now();
    if (nowMs !== this.#atMs) {
      this.#atMs = nowMs;
      this.#at = new Date(nowMs).toISOString();
    }
    return this.#at;
  }
}

function quoted(value: string | null): string {
  return value === null ? 'null' : `"${value}"`;
}
