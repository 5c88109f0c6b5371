// The router's settings: defaults, and every wrong one told at once.
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { ConfigError, readConfig, VARIABLES, type Config } from '../../../router/config.ts';
import { faultLine } from '../../../router/faults.ts';

function linesOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(faultLine);
  }
}

function trusts(proxies: string, peer: string): boolean {
  return readConfig({ TRUSTED_PROXIES: proxies }).TRUSTED_PROXIES.check(
    peer,
    peer.includes(':') ? 'ipv6' : 'ipv4',
  );
}

const NUMBERS = [
  ['PORT', 0, 65_535],
  ['ADMIN_PORT', 0, 65_535],
  ['FLEET_ACTIVATE_MS', 0, 86_400_000],
  ['PROBE_INTERVAL_MS', 10, 86_400_000],
  ['PROBE_TIMEOUT_MS', 10, 86_400_000],
  ['FALL', 1, 100],
  ['RISE', 1, 100],
  ['CELL_CONNECT_TIMEOUT_MS', 1, 86_400_000],
  ['CELL_TIMEOUT_MS', 1, 86_400_000],
  ['DNS_TTL_MS', 100, 86_400_000],
  ['STREAM_IDLE_MS', 0, 86_400_000],
  ['MIN_DWELL_MS', 0, 86_400_000],
  ['DRAIN_GRACE_MS', 0, 86_400_000],
  ['DRAIN_TIMEOUT_MS', 0, 86_400_000],
  ['SLOW_MS', 0, 86_400_000],
  ['WORKERS', 1, 64],
  ['STREAM_IDLE_MS', 0, 86_400_000],
  ['MAX_CONNECTIONS', 1, 1_000_000],
  ['MAX_BODY_BYTES', 0, Number.MAX_SAFE_INTEGER],
] as const;

test('an empty environment is enough', () => {
  expect(readConfig({})).toMatchObject({
    HOST: '0.0.0.0',
    PORT: 8080,
    ADMIN_HOST: '127.0.0.1',
    ADMIN_PORT: 9090,
    FLEET_FILE: 'infra/fleet.yaml',
    FLEET_ACTIVATE_MS: 30_000,
    REDIS_PREFIX: 'cellgate',
    ROUTER_ID: hostname(),
    PROBE_INTERVAL_MS: 500,
    PROBE_TIMEOUT_MS: 400,
    FALL: 3,
    RISE: 4,
    CELL_CONNECT_TIMEOUT_MS: 500,
    CELL_TIMEOUT_MS: 30_000,
    DNS_TTL_MS: 30_000,
    STREAM_IDLE_MS: 3_600_000,
    MAX_CONNECTIONS: 20_000,
    HOLD_MS: 3_500,
    HANDOVER_MS: 2_000,
    RECONNECT_SPREAD_MS: 1_000,
    MIN_DWELL_MS: 10_000,
    DRAIN_GRACE_MS: 0,
    DRAIN_TIMEOUT_MS: 30_000,
    MAX_BODY_BYTES: null,
    LOG_LEVEL: 'info',
    ACCESS_LOG: 'errors',
    SLOW_MS: 1_000,
  });
  expect(readConfig({}).REDIS_URL).toBeUndefined();
});

test('a variable set to nothing counts as absent', () => {
  const empty = Object.fromEntries(VARIABLES.map((name) => [name, '']));
  expect(readConfig(empty)).toEqual(readConfig({}));
});

test('variables of others are none of the router’s business', () => {
  expect(readConfig({ PATH: '/bin', PORTS: 'x', port: 'y' })).toEqual(readConfig({}));
});

test.each(NUMBERS)('%s is a whole number from %i to %i', (name, min, max) => {
  expect(linesOf({ [name]: String(min) })).toEqual([]);
  expect(linesOf({ [name]: String(max) })).toHaveLength(max === Number.MAX_SAFE_INTEGER ? 1 : 0);
  const wrong = [
    String(min - 1),
    String(max + 1),
    'x',
    '1.5',
    '1e3',
    '0x10',
    '+1',
    ' 1',
    '-0',
    '１',
    '9'.repeat(400),
  ];
  for (const value of wrong) {
    expect(linesOf({ [name]: value })).toEqual([
      `${name}: not a whole number in range (allowed: ${min}–${max})`,
    ]);
  }
});

test('MAX_BODY_BYTES limits, and zero does not', () => {
  expect(readConfig({ MAX_BODY_BYTES: '1' }).MAX_BODY_BYTES).toBe(1);
  expect(readConfig({ MAX_BODY_BYTES: '0' }).MAX_BODY_BYTES).toBeNull();
});

test('a request can wait for longer than a handover takes: what is too long for HOLD_MS is refused', () => {
  expect(linesOf({ HANDOVER_MS: '2000', HOLD_MS: '3500' })).toEqual([]);
  expect(linesOf({ HANDOVER_MS: '2001' })).toEqual([
    'HANDOVER_MS: too long (allowed: HOLD_MS − 1500 at most, 2000)',
  ]);
  expect(linesOf({ HOLD_MS: '3499' })).toEqual([
    'HANDOVER_MS: too long (allowed: HOLD_MS − 1500 at most, 1999)',
  ]);
  for (const value of ['99', '86400001', 'x']) {
    expect(linesOf({ HANDOVER_MS: value })).toEqual([
      'HANDOVER_MS: not a whole number in range (allowed: 100–86400000)',
    ]);
  }
});

test('streams are ended over half of a handover at most, and over just that by default', () => {
  expect(readConfig({ HANDOVER_MS: '1001' }).RECONNECT_SPREAD_MS).toBe(500);
  expect(readConfig({ RECONNECT_SPREAD_MS: '0' }).RECONNECT_SPREAD_MS).toBe(0);
  expect(readConfig({ RECONNECT_SPREAD_MS: '1000' }).RECONNECT_SPREAD_MS).toBe(1_000);
  expect(linesOf({ RECONNECT_SPREAD_MS: '1001' })).toEqual([
    'RECONNECT_SPREAD_MS: too long (allowed: half of HANDOVER_MS at most, 1000)',
  ]);
});

test('a client certificate is of no use without its key, nor the key without it', () => {
  expect(linesOf({ CELL_TLS_CERT_FILE: 'a.pem', CELL_TLS_KEY_FILE: 'a.key' })).toEqual([]);
  expect(linesOf({ CELL_TLS_CERT_FILE: 'a.pem' })).toEqual([
    'CELL_TLS_KEY_FILE: missing (allowed: a path, as there is CELL_TLS_CERT_FILE)',
  ]);
  expect(linesOf({ CELL_TLS_KEY_FILE: 'a.key' })).toEqual([
    'CELL_TLS_CERT_FILE: missing (allowed: a path, as there is CELL_TLS_KEY_FILE)',
  ]);
});

test.each(['ROUTER_ID', 'REDIS_PREFIX'])('%s keeps to characters that are harmless everywhere', (name) => {
  expect(linesOf({ [name]: 'eu-1:router_2.a' })).toEqual([]);
  for (const value of ['a b', 'a\nb', 'ä', '{x}', '*', 'x'.repeat(129)]) {
    expect(linesOf({ [name]: value })).toEqual([
      expect.stringMatching(`^${name}: not well formed \\(allowed: .+\\)$`),
    ]);
  }
});

test.each(['LOG_LEVEL', 'ACCESS_LOG'])('%s is one of a few words', (name) => {
  for (const value of ['loud', 'ALL', ' all']) {
    expect(linesOf({ [name]: value })).toEqual([
      expect.stringMatching(`^${name}: unknown value \\(allowed: .+\\)$`),
    ]);
  }
});

test('every wrong setting is told at once', () => {
  const wrong = {
    PORT: 'x',
    FALL: '0',
    LOG_LEVEL: 'loud',
    ROUTER_ID: 'a b',
    TRUSTED_PROXIES: 'x, y',
    REDIS_URL: 'x',
  };
  const places = linesOf(wrong).map((line) => line.split(':')[0] ?? '');
  expect(places.sort()).toEqual([...Object.keys(wrong), 'TRUSTED_PROXIES'].sort());
});

test.each([
  'redis://alice:s3cret@redis:99999',
  'redis://:s3cret@',
  'redis://:s3cret%zz@redis',
  'redis://alice:s3cret@redis/s3cret',
  'redis://alice:s3cret@redis,redis2',
  'http://alice:s3cret@redis',
  's3cret',
  'redis+sentinel://:s3cret@redis',
])('a wrong REDIS_URL is refused and never repeated: %s', (url) => {
  const lines = linesOf({ REDIS_URL: url });
  expect(lines).toEqual([expect.stringMatching(/^REDIS_URL: .+ \(allowed: redis:\/\/.+\)$/)]);
  expect(lines.join()).not.toMatch(/s3cret|alice/);
});

test.each(['redis://localhost', 'rediss://u:p%40ss@redis:6380/2', 'redis+sentinel://a,b:26380/main'])(
  '%s is taken as it is',
  (url) => {
    expect(readConfig({ REDIS_URL: url }).REDIS_URL).toBe(url);
  },
);

test.each([
  ['10.0.0.0/8', '10.1.2.3', '11.0.0.1'],
  ['192.0.2.7', '192.0.2.7', '192.0.2.8'],
  [' 10.0.0.0/8 , ::1 ', '::1', '::2'],
  ['2001:db8::/32', '2001:db8:1::1', '2001:db9::1'],
  ['0.0.0.0/0', '203.0.113.9', '::1'],
])('with TRUSTED_PROXIES=%s the peer %s is trusted and %s is not', (proxies, trusted, stranger) => {
  expect(trusts(proxies, trusted)).toBe(true);
  expect(trusts(proxies, stranger)).toBe(false);
});

test('without TRUSTED_PROXIES nobody is trusted, loopback included', () => {
  expect(trusts('', '127.0.0.1')).toBe(false);
});

test.each([
  'localhost',
  '*',
  '10.0.0.0/33',
  '::/129',
  '10.0.0.0/',
  '10.0.0.0/-1',
  '10.0.0/8',
  '1.2.3.4/8/8',
  '010.0.0.1',
])('TRUSTED_PROXIES=%s is refused, with the entry', (entry) => {
  expect(linesOf({ TRUSTED_PROXIES: `10.0.0.1,${entry}` })).toEqual([
    `TRUSTED_PROXIES: "${entry}" is not a network (allowed: comma-separated CIDRs, 10.0.0.0/8,::1)`,
  ]);
});

test('a comma too many among TRUSTED_PROXIES is refused, for it may stand where a network was lost', () => {
  expect(linesOf({ TRUSTED_PROXIES: '10.0.0.0/8,' })).toHaveLength(1);
});

test('a fault is one line whatever was set', () => {
  expect(linesOf({ TRUSTED_PROXIES: 'a\nb' })).toEqual([expect.stringContaining('"a\\u{a}b"')]);
});

test('the README lists every variable with its default, and no other', async () => {
  const rows = (await readFile('README.md', 'utf8')).split('\n').filter((line) => line.startsWith('| `'));
  const listed = rows.flatMap((row) => {
    const [, names = '', defaults = ''] = row.split('|').map((part) => part.trim().replaceAll('`', ''));
    const values = defaults.split(',').map((value) => value.trim());
    return names.split(',').map((name, i) => [name.trim(), values[i]] as const);
  });
  const inRouter = listed.filter(([name]) => VARIABLES.includes(name));
  expect(inRouter.map(([name]) => name).sort()).toEqual([...VARIABLES].sort());
  const defaults = readConfig({});
  for (const [name, value] of inRouter)
    expect([name, value]).toEqual([name, told(name as keyof Config, defaults)]);
});

function told(name: keyof Config, defaults: Config): string {
  if (name === 'ROUTER_ID') return 'host name';
  if (name === 'TRUSTED_PROXIES' || name === 'ADMIN_TOKEN') return 'none';
  return String(defaults[name] ?? 'none');
}
