// Reading REDIS_URL, and the pace of coming back.
import { expect, test } from 'vitest';
import { backOffMs } from '../../../../../router/health/redis/redis-connection.ts';
import { parseRedisUrl, RedisUrlError } from '../../../../../router/health/redis/redis-url.ts';

const PLAIN = {
  kind: 'single',
  tls: false,
  hosts: [{ host: 'redis.example', port: 6_379 }],
  username: null,
  password: null,
  db: 0,
  masterName: null,
};

test('a host alone means port 6379 and database 0', () => {
  expect(parseRedisUrl('redis://redis.example')).toEqual(PLAIN);
  expect(parseRedisUrl('redis://redis.example/')).toEqual(PLAIN);
});

test('port, database, user and password are read', () => {
  expect(parseRedisUrl('redis://gate:s3cret@redis.example:7000/3')).toEqual({
    ...PLAIN,
    hosts: [{ host: 'redis.example', port: 7_000 }],
    username: 'gate',
    password: 's3cret',
    db: 3,
  });
});

test('a password may stand without a user, with a colon before it or not', () => {
  expect(parseRedisUrl('redis://:s3cret@redis.example')).toMatchObject({
    username: null,
    password: 's3cret',
  });
  expect(parseRedisUrl('redis://s3cret@redis.example')).toMatchObject({ username: null, password: 's3cret' });
});

test('user and password are percent-decoded', () => {
  expect(parseRedisUrl('redis://g%40te:p%40ss%3A%2F@redis.example')).toMatchObject({
    username: 'g@te',
    password: 'p@ss:/',
  });
});

test('rediss means TLS', () => {
  expect(parseRedisUrl('rediss://redis.example')).toEqual({ ...PLAIN, tls: true });
});

test('an IPv6 address stands in brackets', () => {
  expect(parseRedisUrl('redis://[::1]:7000').hosts).toEqual([{ host: '::1', port: 7_000 }]);
});

test('Sentinels are listed with the name of the master', () => {
  expect(parseRedisUrl('redis+sentinel://u:p@s1:26380,s2/main/2')).toEqual({
    kind: 'sentinel',
    tls: false,
    hosts: [
      { host: 's1', port: 26_380 },
      { host: 's2', port: 26_379 },
    ],
    username: 'u',
    password: 'p',
    db: 2,
    masterName: 'main',
  });
});

test('members of a Cluster are listed', () => {
  expect(parseRedisUrl('rediss+cluster://m1:7001,m2:7002')).toMatchObject({
    kind: 'cluster',
    tls: true,
    hosts: [
      { host: 'm1', port: 7_001 },
      { host: 'm2', port: 7_002 },
    ],
  });
});

test.each([
  ['', 'nothing'],
  ['redis.example:6379', 'no scheme'],
  ['http://redis.example', 'another scheme'],
  ['redis+ring://redis.example', 'an unknown form'],
  ['redis://', 'no host'],
  ['redis://a:1,b:2', 'several hosts without a form'],
  ['redis://redis.example:0', 'port 0'],
  ['redis://redis.example:65536', 'a port out of range'],
  ['redis://redis.example:port', 'a port that is no number'],
  ['redis://redis.example/one', 'a database that is no number'],
  ['redis://redis.example/1/2', 'two databases'],
  ['redis://redis.example?db=1', 'a query'],
  ['redis://u:%zz@redis.example', 'a broken percent-encoding'],
  ['redis+sentinel://s1:26379', 'Sentinels without a master'],
  ['redis+cluster://m1/2', 'a Cluster with a database'],
  ['redis+cluster://m1,', 'an empty member'],
])('%j is refused: %s', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(RedisUrlError);
});

test('a refusal names the forms that are allowed, and never the password', () => {
  const wrong = 'redis://gate:s3cret@redis.example:99999';
  expect(() => parseRedisUrl(wrong)).toThrow(/allowed: redis:\/\/.*redis\+sentinel.*redis\+cluster/);
  expect(() => parseRedisUrl(wrong)).not.toThrow(/s3cret|redis\.example/);
});

test('the pause before a reconnect grows, and never exceeds a second', () => {
  for (let times = 1; times < 5_000; times += 7) {
    const pauseMs = backOffMs(times);
    expect(pauseMs).toBeGreaterThanOrEqual(25);
    expect(pauseMs).toBeLessThanOrEqual(1_000);
  }
});
