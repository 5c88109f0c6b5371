// The router's settings: the environment, validated as a whole. No other file of the router reads it.
import { BlockList, isIP } from 'node:net';
import { hostname } from 'node:os';
import { z } from 'zod';
import { faultsOf, type Fault } from './faults.ts';
import { parseRedisUrl } from './health/redis/redis-url.ts';

const LONGEST_MS = 86_400_000;

function wholeNumber(fallback: number, min: number, max: number): z.ZodType<number> {
  const allowed = `not a whole number in range (allowed: ${min}–${max})`;
  return z
    .string()
    .regex(/^\d{1,15}$/, allowed)
    .transform(Number)
    .refine((value) => value >= min && value <= max, allowed)
    .default(fallback);
}

const port = (fallback: number): z.ZodType<number> => wholeNumber(fallback, 0, 65_535);
const ms = (fallback: number, min = 0): z.ZodType<number> => wholeNumber(fallback, min, LONGEST_MS);

function oneOf<const T extends [string, ...string[]]>(fallback: T[number], values: T) {
  return z.enum(values, `unknown value (allowed: ${values.join(', ')})`).default(() => fallback);
}

function text(pattern: RegExp, allowed: string) {
  return z.string().regex(pattern, `not well formed (allowed: ${allowed})`);
}

/** `10.0.0.0/8, ::1` → a list that answers whether a peer is trusted; an address alone is a network of one. */
const cidrs = z.string().transform((value, context): BlockList => {
  const list = new BlockList();
  for (const entry of value.split(',').map((part) => part.trim())) {
    const [address = '', bits, ...rest] = entry.split('/');
    const family = isIP(address);
    const longest = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (family === 0 || rest.length > 0 || prefix < 0 || prefix > longest) {
      context.addIssue(`"${entry}" is not a network (allowed: comma-separated CIDRs, 10.0.0.0/8,::1)`);
      continue;
    }
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
});

/** Checked here so that a wrong URL is told at the start; the message never repeats it. */
const redisUrl = z.string().superRefine((value, context) => {
  try {
    parseRedisUrl(value);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : 'not a Redis URL');
  }
});

const ratio = (fallback: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^(0(\.\d{1,6})?|1(\.0{1,6})?)$/, 'not a ratio (allowed: 0–1)')
    .transform(Number)
    .default(fallback);

/** `name:token,name:token` → token by name; a bare token is named `admin`. The messages never repeat a token. */
const adminTokens = z.string().transform((value, context): Map<string, string> => {
  const tokens = new Map<string, string>();
  for (const entry of value.split(',')) {
    const [, name = 'admin', token = ''] =
      /^(?:([A-Za-z0-9_.@-]{1,64}):)?([\x21-\x2b\x2d-\x7e]{8,512})$/.exec(entry.trim()) ?? [];
    if (token === '')
      context.addIssue('not well formed (allowed: name:token,… with tokens of 8–512 characters)');
    else if (tokens.has(name)) context.addIssue(`two tokens for ${name} (allowed: one a name)`);
    else tokens.set(name, token);
  }
  return tokens;
});

const path = z.string().min(1, 'empty (allowed: a path)');

const schema = z.object({
  HOST: z.string().min(1, 'empty (allowed: a host name or address)').default('0.0.0.0'),
  PORT: port(8080),
  TLS_CERT_FILE: z.string().optional(),
  TLS_KEY_FILE: z.string().optional(),
  ADMIN_HOST: z.string().min(1, 'empty (allowed: a host name or address)').default('127.0.0.1'),
  ADMIN_PORT: port(9090),
  FLEET_FILE: path.default('infra/fleet.yaml'),
  FLEET_ACTIVATE_MS: ms(30_000),
  REDIS_URL: redisUrl.optional(),
  REDIS_PREFIX: text(/^[A-Za-z0-9_.:-]{1,64}$/, '1–64 of A–Z a–z 0–9 _ . : -').default('cellgate'),
  ROUTER_ID: text(/^[A-Za-z0-9_.:-]{1,128}$/, '1–128 of A–Z a–z 0–9 _ . : -').default(() => hostname()),
  PROBE_INTERVAL_MS: ms(500, 10),
  PROBE_TIMEOUT_MS: ms(400, 10),
  FALL: wholeNumber(3, 1, 100),
  RISE: wholeNumber(4, 1, 100),
  CELL_CONNECT_TIMEOUT_MS: ms(500, 1),
  CELL_TIMEOUT_MS: ms(30_000, 1),
  DNS_TTL_MS: ms(30_000, 100),
  STREAM_IDLE_MS: ms(3_600_000),
  HOLD_MS: ms(3_500),
  HOLD_MAX: wholeNumber(1_000, 0, 1_000_000),
  HANDOVER_MS: ms(2_000, 100),
  RECONNECT_SPREAD_MS: ms(-1, 0),
  REPLAY_BYTES: wholeNumber(65_536, 0, 1_073_741_824),
  MIN_DWELL_MS: ms(10_000),
  MAX_FAILED_OVER: ratio(0.34),
  NEIGHBOUR_LOST_MS: ms(30_000),
  REDIS_DOWN_POLICY: oneOf('freeze', ['freeze', 'local']),
  REDIS_DOWN_LOCAL_MS: ms(5_000),
  SNAPSHOT_FILE: z.string().optional(),
  CELL_TLS_CA_FILE: path.optional(),
  CELL_TLS_CERT_FILE: path.optional(),
  CELL_TLS_KEY_FILE: path.optional(),
  CELL_TOKEN: text(/^[\x21-\x7e]{1,512}$/, '1–512 printable ASCII characters').optional(),
  ADMIN_TOKEN: adminTokens.default(() => new Map()),
  WORKERS: wholeNumber(1, 1, 64),
  DRAIN_GRACE_MS: ms(0),
  DRAIN_TIMEOUT_MS: ms(30_000),
  TRUSTED_PROXIES: cidrs.default(() => new BlockList()),
  MAX_CONNECTIONS: wholeNumber(20_000, 1, 1_000_000),
  MAX_BODY_BYTES: wholeNumber(0, 0, Number.MAX_SAFE_INTEGER).transform((value) =>
    value === 0 ? null : value,
  ),
  LOG_LEVEL: oneOf('info', ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  ACCESS_LOG: oneOf('errors', ['errors', 'all', 'off']),
  SLOW_MS: ms(1000),
});

/** The names, for the documentation's own test. */
export const VARIABLES = Object.keys(schema.shape);

/** The validated settings. Durations are milliseconds, sizes bytes. */
export type Config = z.infer<typeof schema>;

/**
 * What is handed over waits for up to `HANDOVER_MS`, and then for the beats that tell of its end: a request must be able
 * to wait for longer than that.
 */
const AFTER_HANDOVER_MS = 1_500;

/** Settings that are wrong together, and the default that follows from another setting. */
const settings = schema.transform((config, context) => {
  const { HANDOVER_MS, HOLD_MS, RECONNECT_SPREAD_MS } = config;
  const fault = (name: string, problem: string): void =>
    context.addIssue({ code: 'custom', path: [name], message: problem });
  if (HANDOVER_MS + AFTER_HANDOVER_MS > HOLD_MS) {
    fault(
      'HANDOVER_MS',
      `too long (allowed: HOLD_MS − ${AFTER_HANDOVER_MS} at most, ${HOLD_MS - AFTER_HANDOVER_MS})`,
    );
  }
  if ((config.TLS_CERT_FILE === undefined) !== (config.TLS_KEY_FILE === undefined)) {
    const missing = config.TLS_CERT_FILE === undefined ? 'TLS_CERT_FILE' : 'TLS_KEY_FILE';
    fault(missing, 'missing (allowed: both of TLS_CERT_FILE and TLS_KEY_FILE, or neither)');
  }
  const most = Math.floor(HANDOVER_MS / 2);
  if (RECONNECT_SPREAD_MS > most)
    fault('RECONNECT_SPREAD_MS', `too long (allowed: half of HANDOVER_MS at most, ${most})`);
  pairFault(config, fault, 'CELL_TLS_CERT_FILE', 'CELL_TLS_KEY_FILE');
  return { ...config, RECONNECT_SPREAD_MS: RECONNECT_SPREAD_MS < 0 ? most : RECONNECT_SPREAD_MS };
});

/** A certificate is of no use without its key, nor the key without it. */
function pairFault<N extends string>(
  config: Partial<Record<N, unknown>>,
  fault: (name: string, problem: string) => void,
  cert: N,
  key: N,
): void {
  if ((config[cert] === undefined) === (config[key] === undefined)) return;
  const [missing, given] = config[cert] === undefined ? [cert, key] : [key, cert];
  fault(missing, `missing (allowed: a path, as there is ${given})`);
}

/** The environment is wrong; `faults` names every wrong variable. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: Fault[];
  constructor(faults: Fault[]) {
    super(`${faults.length} settings are wrong`);
    this.faults = faults;
  }
}

/** Reads the settings from `env`; a variable set to nothing counts as absent. Throws `ConfigError` with all faults. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const present = Object.fromEntries(
    VARIABLES.filter((name) => (env[name] ?? '') !== '').map((name) => [name, env[name]]),
  );
  const parsed = settings.safeParse(present);
  if (!parsed.success) throw new ConfigError(faultsOf(parsed.error));
  return parsed.data;
}
