// The log: JSON on stdout, one line an event.
import { pino, type Logger } from 'pino';
import type { Config } from '../config.ts';

export function createLog(config: Pick<Config, 'LOG_LEVEL' | 'ROUTER_ID'>): Logger {
  return pino({
    level: config.LOG_LEVEL,
    base: { router: config.ROUTER_ID },
    timestamp: pino.stdTimeFunctions.isoTime,
  });
}
