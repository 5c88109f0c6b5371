// The environment, validated: the only file of the cell that reads it.
import { resolve } from 'node:path';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const MAX_PORT = 65_535;

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT;

const isPostgresUrl = (text: string): boolean =>
  URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);

const schema = z.object({
  CELL_ID: z
    .string({ error: 'is required (allowed: a lower-case DNS label such as cell-a)' })
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'is not a name for a cell (allowed: a lower-case DNS label such as cell-a, 1 to 63 characters)',
    ),
  HOST: z
    .string()
    .regex(/^[^\s/]+$/, 'is not an address to listen on (allowed: an IP address or a host name)')
    .default('0.0.0.0'),
  PORT: z
    .string()
    .refine(isPort, `is not a port (allowed: 0 to ${MAX_PORT}; 0 takes a free one)`)
    .default('4101')
    .transform(Number),
  DATABASE_URL: z
    .string()
    .refine(isPostgresUrl, 'is not a PostgreSQL URL (allowed: postgres://user:password@host:port/database)')
    .optional(),
  CELL_VERSION: z.string().default(packageJson.version),
  LOG_LEVEL: z
    .enum(LOG_LEVELS, { error: `is not a log level (allowed: ${LOG_LEVELS.join(', ')})` })
    .default('info'),
});

/** Where the cell keeps its tenants' rows: a PostgreSQL that somebody else runs, or one of the cell's own. */
export type DatabasePlace = { kind: 'external'; url: string } | { kind: 'embedded'; dataDir: string };

export type CellConfig = {
  cellId: string;
  host: string;
  port: number;
  database: DatabasePlace;
  version: string;
  logLevel: (typeof LOG_LEVELS)[number];
};

/** The environment is unusable. `faults`: every fault found, one line each, none with a secret in it. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/**
 * The cell's settings as the environment gives them; an empty variable counts as unset, `DATABASE_URL` beats
 * `DATA_DIR`. Throws `ConfigError` with every fault at once.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): CellConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(set);
  const place = databasePlace(set['DATABASE_URL'], set['DATA_DIR']);
  const faults = parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
  if (place === null) faults.push(NO_DATABASE);
  if (!parsed.success || place === null) throw new ConfigError(faults);
  const { CELL_ID, HOST, PORT, CELL_VERSION, LOG_LEVEL } = parsed.data;
  return {
    cellId: CELL_ID,
    host: HOST,
    port: PORT,
    database: place,
    version: CELL_VERSION,
    logLevel: LOG_LEVEL,
  };
}

const NO_DATABASE =
  'DATA_DIR: is required without DATABASE_URL (allowed: a folder for the database that the cell then runs itself)';

function databasePlace(url: string | undefined, dataDir: string | undefined): DatabasePlace | null {
  if (url !== undefined) return { kind: 'external', url };
  return dataDir === undefined ? null : { kind: 'embedded', dataDir: resolve(dataDir) };
}
