// Reads `REDIS_URL`: one Redis, a Redis behind Sentinels, or a Redis Cluster.

type HostPort = { host: string; port: number };

export type RedisAddress = {
  kind: 'single' | 'sentinel' | 'cluster';
  tls: boolean;
  /** The Redis; or the Sentinels; or some members of the Cluster, which name the others. */
  hosts: [HostPort, ...HostPort[]];
  /** Of the Redis itself, never of the Sentinels. */
  username: string | null;
  password: string | null;
  db: number;
  /** What the Sentinels call the Redis; null without Sentinels. */
  masterName: string | null;
};

/** Every form that is understood. */
const REDIS_URL_FORMS =
  'redis://[user:password@]host[:port][/db], redis+sentinel://[user:password@]host[:port],…/masterName[/db], ' +
  'redis+cluster://[user:password@]host[:port],…; rediss for TLS';

/** `REDIS_URL` is wrong. The message says what is allowed, and never repeats the URL: it may hold a password. */
export class RedisUrlError extends Error {
  override name = 'RedisUrlError';
  constructor(problem: string) {
    super(`${problem} (allowed: ${REDIS_URL_FORMS})`);
  }
}

const FORM = /^(rediss?)(\+sentinel|\+cluster)?:\/\/(?:([^@/]*)@)?([^@/?#]+)(\/[^?#]*)?$/i;
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i;
const DEFAULT_PORT = { single: 6379, cluster: 6379, sentinel: 26_379 };

/** Understands one URL; throws `RedisUrlError` for anything else. User and password are percent-decoded. */
export function parseRedisUrl(url: string): RedisAddress {
  const form = FORM.exec(url);
  if (form === null) throw new RedisUrlError('not a Redis URL');
  const [, scheme = '', suffix = '', login, hostList = '', path = ''] = form;
  const kind = KINDS[suffix.toLowerCase()] ?? 'single';
  return {
    kind,
    tls: scheme.toLowerCase() === 'rediss',
    hosts: hostsOf(hostList, kind),
    ...loginOf(login),
    ...pathOf(path, kind),
  };
}

const KINDS: Record<string, RedisAddress['kind']> = { '+sentinel': 'sentinel', '+cluster': 'cluster' };

function hostsOf(list: string, kind: RedisAddress['kind']): RedisAddress['hosts'] {
  const [first, ...others] = list.split(',').map((entry) => {
    const [, host, port] = HOST.exec(entry.trim()) ?? [];
    if (host === undefined) throw new RedisUrlError('a host is not well formed');
    const number = Number(port ?? DEFAULT_PORT[kind]);
    if (number < 1 || number > 65_535) throw new RedisUrlError('a port is not in 1–65535');
    return { host: host.replace(/^\[|\]$/g, ''), port: number };
  });
  if (first === undefined) throw new RedisUrlError('no host');
  if (kind === 'single' && others.length > 0) {
    throw new RedisUrlError('several hosts need redis+sentinel or redis+cluster');
  }
  return [first, ...others];
}

function loginOf(login: string | undefined): Pick<RedisAddress, 'username' | 'password'> {
  if (login === undefined) return { username: null, password: null };
  const colon = login.indexOf(':');
  const [user, password] = colon < 0 ? ['', login] : [login.slice(0, colon), login.slice(colon + 1)];
  try {
    return {
      username: user === '' ? null : decodeURIComponent(user),
      password: password === '' ? null : decodeURIComponent(password),
    };
  } catch {
    throw new RedisUrlError('user or password is not percent-encoded as it should be');
  }
}

function pathOf(path: string, kind: RedisAddress['kind']): Pick<RedisAddress, 'masterName' | 'db'> {
  const parts = path.split('/').filter((part) => part !== '');
  const masterName = kind === 'sentinel' ? (parts.shift() ?? null) : null;
  if (kind === 'sentinel' && masterName === null)
    throw new RedisUrlError('the name of the master is missing');
  const db = parts.shift() ?? '0';
  if (!/^\d{1,5}$/.test(db) || parts.length > 0) throw new RedisUrlError('the database is not a number');
  if (kind === 'cluster' && db !== '0') throw new RedisUrlError('a Cluster has database 0 alone');
  return { masterName, db: Number(db) };
}
