// The environment, validated: the only file of the cell that reads it.
import { resolve } from 'node:path';
import { z } from 'zod';
import { nameTooLong, readStandbys, type StandbyOf } from './standby/declared.ts';
import { PAIRED_NAME_BYTES } from './standby/names.ts';
import { CELL_NAME, isPostgresUrl } from './names.ts';
import packageJson from '../package.json' with { type: 'json' };

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const MAX_PORT = 65_535;

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT;

const GUEST_POLICIES = ['full', 'read-only', 'none'] as const;
const DURABILITIES = ['async', 'sync'] as const;
const POSTGRES_URL = 'postgres://user:password@host:port/database';

const wholeNumber = (unit: string, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,7}$/, `is not a whole number of ${unit} (allowed: 0 to 9999999)`)
    .default(String(fallback))
    .transform(Number);

const schema = z.object({
  CELL_ID: z
    .string({ error: 'is required (allowed: a lower-case DNS label such as cell-a)' })
    .regex(
      CELL_NAME,
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
    .refine(isPostgresUrl, `is not a PostgreSQL URL (allowed: ${POSTGRES_URL})`)
    .optional(),
  CELL_TOKEN: z
    .string()
    // RFC 6750, section 2.1: what a bearer token may be made of.
    .regex(
      /^[\w.~+/-]+=*$/,
      'is not a bearer token (allowed: letters, digits and -._~+/, then any number of =)',
    )
    .optional(),
  STANDBY_OF: z
    .string()
    .default('')
    .transform((text, context) => {
      const { standbys, faults } = readStandbys(text);
      for (const message of faults) context.addIssue({ code: 'custom', message });
      return standbys;
    }),
  NEIGHBOUR_DATABASE_URL: z
    .string()
    .refine(isPostgresUrl, `is not a PostgreSQL URL (allowed: ${POSTGRES_URL})`)
    .optional(),
  GUEST_POLICY: z
    .enum(GUEST_POLICIES, { error: `is not a policy (allowed: ${GUEST_POLICIES.join(', ')})` })
    .default('full'),
  DURABILITY: z
    .enum(DURABILITIES, { error: `is not a durability (allowed: ${DURABILITIES.join(', ')})` })
    .default('async'),
  MAX_STANDBY_LAG_S: wholeNumber('seconds', 60),
  ASLEEP_MS: wholeNumber('milliseconds', 1_000),
  CELL_VERSION: z.string().default(packageJson.version),
  LOG_LEVEL: z
    .enum(LOG_LEVELS, { error: `is not a log level (allowed: ${LOG_LEVELS.join(', ')})` })
    .default('info'),
});

/** Where the cell keeps its tenants' rows: a PostgreSQL that somebody else runs, or one of the cell's own. */
export type DatabasePlace = { kind: 'external'; url: string } | { kind: 'embedded'; dataDir: string };

export type GuestPolicy = (typeof GUEST_POLICIES)[number];
export type Durability = (typeof DURABILITIES)[number];

export type CellConfig = {
  cellId: string;
  host: string;
  port: number;
  database: DatabasePlace;
  /** Routers and operators show it; null: both must come from loopback. */
  cellToken: string | null;
  standbyOf: readonly StandbyOf[];
  /** The server that holds this cell's standby, or null: there is none. */
  neighbourUrl: string | null;
  guestPolicy: GuestPolicy;
  durability: Durability;
  /** Above this, guests may only read. */
  maxStandbyLagS: number;
  /** A longer gap of the cell's own clock counts as sleep. */
  asleepMs: number;
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
  const { CELL_ID: cellId = '' } = parsed.data ?? {};
  const hasNeighbour = set['NEIGHBOUR_DATABASE_URL'] !== undefined;
  if (hasNeighbour && cellId.length > PAIRED_NAME_BYTES) faults.push(`CELL_ID: ${nameTooLong(cellId)}`);
  const isAlone = set['NEIGHBOUR_DATABASE_URL'] === undefined && set['STANDBY_OF'] === undefined;
  if (set['DURABILITY'] === 'sync' && isAlone) faults.push(SYNC_ALONE);
  if (parsed.data?.STANDBY_OF.some(({ home }) => home === parsed.data.CELL_ID) === true)
    faults.push(OWN_STANDBY);
  if (place === null) faults.push(NO_DATABASE);
  if (!parsed.success || place === null || faults.length > 0) throw new ConfigError(faults);
  const { CELL_ID, HOST, PORT, CELL_VERSION, LOG_LEVEL, ...rest } = parsed.data;
  return {
    cellId: CELL_ID,
    host: HOST,
    port: PORT,
    database: place,
    cellToken: rest.CELL_TOKEN ?? null,
    standbyOf: rest.STANDBY_OF,
    neighbourUrl: rest.NEIGHBOUR_DATABASE_URL ?? null,
    guestPolicy: rest.GUEST_POLICY,
    durability: rest.DURABILITY,
    maxStandbyLagS: rest.MAX_STANDBY_LAG_S,
    asleepMs: rest.ASLEEP_MS,
    version: CELL_VERSION,
    logLevel: LOG_LEVEL,
  };
}

const NO_DATABASE =
  'DATA_DIR: is required without DATABASE_URL (allowed: a folder for the database that the cell then runs itself)';

const SYNC_ALONE =
  'DURABILITY: sync needs a standby to confirm each write, or to confirm those of (set NEIGHBOUR_DATABASE_URL or STANDBY_OF, or use async)';
const OWN_STANDBY = 'STANDBY_OF: a cell is no standby of itself (allowed: other cells)';

function databasePlace(url: string | undefined, dataDir: string | undefined): DatabasePlace | null {
  if (url !== undefined) return { kind: 'external', url };
  return dataDir === undefined ? null : { kind: 'embedded', dataDir: resolve(dataDir) };
}
