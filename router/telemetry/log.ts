// Logs: JSON on stdout, one line an event. Request lines hold no query string, no token and no tenant.
import { pino, type Logger } from 'pino';
import type { Config } from '../config.ts';

export function createLog(config: Pick<Config, 'LOG_LEVEL' | 'ROUTER_ID'>): Logger {
  return pino({
    level: config.LOG_LEVEL,
    base: { router: config.ROUTER_ID },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}

/** One request as its line in the log tells it. */
export type RequestLine = {
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
  requestId: string;
};

/** The request lines that `ACCESS_LOG` asks for: `errors` are refusals, 5xx, and slow ones. */
export class AccessLog {
  readonly #log: Logger;
  readonly #what: Config['ACCESS_LOG'];
  readonly #slowMs: number;

  constructor(log: Logger, { ACCESS_LOG, SLOW_MS }: Pick<Config, 'ACCESS_LOG' | 'SLOW_MS'>) {
    this.#log = log;
    this.#what = ACCESS_LOG;
    this.#slowMs = SLOW_MS;
  }

  /** Whether such a request gets a line. `waitMs`: how long its client waited for an answer. */
  wants(status: number, code: string | null, waitMs: number): boolean {
    if (this.#what !== 'errors') return this.#what === 'all';
    return code !== null || status >= 500 || waitMs >= this.#slowMs;
  }

  write(line: RequestLine): void {
    this.#log[line.status >= 500 && line.code === null ? 'warn' : 'info'](line, 'request');
  }
}
