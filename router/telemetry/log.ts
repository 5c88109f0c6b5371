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

/** Writes the request lines that `ACCESS_LOG` asks for: `errors` are refusals, 5xx, and slow ones. */
export function accessLog(
  log: Logger,
  config: Pick<Config, 'ACCESS_LOG' | 'SLOW_MS'>,
): (line: RequestLine) => void {
  const { ACCESS_LOG, SLOW_MS } = config;
  if (ACCESS_LOG === 'off') return () => undefined;
  return (line) => {
    // A stream may last for hours: what makes a request slow is the wait for the head of its answer.
    const slow = (line.headMs ?? line.durationMs) >= SLOW_MS;
    if (ACCESS_LOG === 'errors' && line.code === null && line.status < 500 && !slow) return;
    log[line.status >= 500 && line.code === null ? 'warn' : 'info'](line, 'request');
  };
}
