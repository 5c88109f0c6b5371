// One connection to Redis in any of its forms: it fails fast, comes back by itself, and never raises on its own.
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-url.ts';

export type RedisClient = Redis | Cluster;

const BACK_OFF_MAX_MS = 1_000;

/**
 * Starts to connect and returns at once; whether anybody answers shows in the calls. A call on a connection that is
 * not there rejects at once instead of queueing; one that stays without an answer rejects after `timeoutMs`, except in
 * a Cluster, whose queue ignores that bound: the caller keeps a bound of its own.
 */
export function connect(address: RedisAddress, timeoutMs: number): RedisClient {
  const client = address.kind === 'cluster' ? cluster(address, timeoutMs) : single(address, timeoutMs);
  // Without a listener a refused connection would end the process. The calls tell what is wrong.
  client.on('error', () => {});
  return client;
}

/** Waits 50 ms, 100 ms … 1 s, each jittered down to half, so that a fleet of routers does not return in one wave. */
export function backOffMs(times: number): number {
  return Math.min(BACK_OFF_MAX_MS, 50 * 2 ** Math.min(times - 1, 10)) * (0.5 + Math.random() / 2);
}

function single(address: RedisAddress, timeoutMs: number): Redis {
  const options = {
    ...common(address, timeoutMs),
    db: address.db,
    retryStrategy: backOffMs,
    enableOfflineQueue: false,
    // A master that became a replica refuses writes: ask the Sentinels again.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions;
  if (address.kind === 'single') {
    const [{ host, port }] = address.hosts;
    return new Redis({ ...options, host, port });
  }
  return new Redis({
    ...options,
    sentinels: address.hosts,
    ...(address.masterName === null ? {} : { name: address.masterName }),
    sentinelRetryStrategy: backOffMs,
    sentinelCommandTimeout: timeoutMs,
    ...(address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  });
}

function cluster(address: RedisAddress, timeoutMs: number): Cluster {
  return new Cluster(address.hosts, {
    redisOptions: common(address, timeoutMs),
    clusterRetryStrategy: backOffMs,
    enableOfflineQueue: false,
    slotsRefreshTimeout: timeoutMs,
    // Behind TLS the members' names are what their certificates hold: no look-up to bare addresses.
    ...(address.tls ? { dnsLookup: (name, done) => done(null, name) } : {}),
  });
}

function common(address: RedisAddress, timeoutMs: number) {
  return {
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A frozen Redis does not answer our goodbye: the process would wait for it at its end.
    disconnectTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    // Nothing is sent before the first call: neither the reply to INFO nor to HELLO says more than that call does.
    enableReadyCheck: false,
    protocol: 2,
    disableClientInfo: true,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    ...(address.tls ? { tls: {} } : {}),
  } satisfies RedisOptions;
}
