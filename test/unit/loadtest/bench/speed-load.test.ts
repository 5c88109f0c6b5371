// What load generators print, what of it can not be, and what they are told to send.
import { expect, test } from 'vitest';
import { haproxyConfig } from '../../../../loadtest/bench/contenders/haproxy.ts';
import { cellsConfig, idOf } from '../../../../loadtest/bench/contenders/cells.ts';
import { fleetFile } from '../../../../loadtest/bench/contenders/cellgate.ts';
import { nginxConfig } from '../../../../loadtest/bench/contenders/nginx.ts';
import { inOrderOf } from '../../../../loadtest/bench/speed-bench.ts';
import { checkBytes } from '../../../../loadtest/bench/speed-check.ts';
import { parseH2load } from '../../../../loadtest/bench/speed-drive-tls.ts';
import { loadedLine, parseLoaded } from '../../../../loadtest/bench/speed-driver.ts';
import { sliceOf } from '../../../../loadtest/bench/speed-growth.ts';
import { coresIn, share } from '../../../../loadtest/bench/speed-machine.ts';
import { answerTo, requestBytes, tenantOf, WORKLOADS } from '../../../../loadtest/bench/speed-workloads.ts';

const CELLS = ['127.1.100.100', '127.1.100.101'].map((host) => {
  return { id: idOf(host), host, port: 4101, origin: `http://${host}:4101` };
});

const H2LOAD = `TLS Protocol: TLSv1.3
Application protocol: h2

finished in 1.50s, 45727.00 req/s, 4.62MB/s
requests: 68590 total, 68718 started, 68590 done, 68588 succeeded, 2 failed, 0 errored, 0 timeout
status codes: 68588 2xx, 0 3xx, 0 4xx, 2 5xx
traffic: 4.62MB (4847182) total, 3.01MB (3155163) headers (space savings 34.91%), 8.37MB (8779264) data`;

test('a load tells what it did in one line among others', () => {
  const told = { requests: 5, durationMs: 1_000, p50Ms: 1, p99Ms: 2, failed: 0 };
  const lines = ['Running 600s test', loadedLine(told).trim(), 'Requests/sec: 5'];
  expect(parseLoaded(lines)).toMatchObject({ ...told, bytes: null, compared: 0 });
  expect(() => parseLoaded(['unable to connect'])).toThrow('unable to connect');
});

test('h2load tells requests, failures and the bytes of bodies', () => {
  expect(parseH2load(H2LOAD.split('\n'))).toMatchObject({
    requests: 68_590,
    durationMs: 1_500,
    bodyBytes: 8_779_264,
    failed: 2,
  });
});

test('h2load without HTTP/2 measured something else', () => {
  const lines = H2LOAD.replace('protocol: h2', 'protocol: http/1.1').split('\n');
  expect(() => parseH2load(lines)).toThrow('did not get HTTP/2');
});

test('answers that were counted must have the bytes that were read, but for those under way at the end', () => {
  const sizes = { min: 300, max: 310 };
  const check = (bytes: number) => checkBytes('plain', { requests: 1_000, bytes }, sizes, 64);
  expect(() => check(300_000)).not.toThrow();
  expect(() => check(1_064 * 310)).not.toThrow();
  expect(() => check(299_999)).toThrow('1000 answers of 300–310 bytes can not be 299999 bytes');
  expect(() => check(1_064 * 310 + 1)).toThrow('plain');
});

test('answers have the size that they are named after, and tell tenants apart', () => {
  for (const workload of Object.values(WORKLOADS))
    expect(Buffer.byteLength(answerTo(workload, tenantOf(42)))).toBe(workload.answerBytes);
  expect(answerTo(WORKLOADS.get, tenantOf(1))).not.toBe(answerTo(WORKLOADS.get, tenantOf(2)));
  expect(Buffer.byteLength(WORKLOADS.post.body ?? '')).toBe(1_024);
  expect(requestBytes(WORKLOADS.post, 'a:1', 't').toString()).toContain('\r\ncontent-length: 1024\r\n');
});

test('the contender has a core alone; where there is one core only, nothing is pinned', () => {
  expect(coresIn('0-2,5')).toEqual([0, 1, 2, 5]);
  expect(share([0, 1])).toEqual({ proxy: 1, load: 0, cells: 0 });
  expect(share([0, 1, 2, 5])).toEqual({ proxy: 5, load: 0, cells: 1 });
  expect(share([3])).toEqual({ proxy: null, load: null, cells: null });
});

test('each round has everybody in it, in an order of its own that is the same each time', () => {
  const orders = Array.from({ length: 9 }, (_, round) => inOrderOf(round, [1, 2, 3, 4, 5, 6]).join(''));
  expect(new Set(orders).size).toBeGreaterThan(6);
  expect(new Set(orders.map((order) => order.split('').sort().join('')))).toEqual(new Set(['123456']));
  expect(inOrderOf(3, [1, 2, 3, 4, 5, 6]).join('')).toBe(orders[3]);
});

test('many tenants are gone through without leaving any out', () => {
  expect(sliceOf(1_000_000, 0)).toEqual({ first: 0, count: 200_000 });
  expect(sliceOf(1_000_000, 900_000)).toEqual({ first: 900_000, count: 100_000 });
});

test('peers hash the tenant consistently over the same cells', () => {
  const nginx = nginxConfig('/tmp/x', 8080, CELLS);
  expect(nginx).toContain('hash $http_x_tenant_id consistent;');
  expect(nginx).toContain('server 127.1.100.100:4101; server 127.1.100.101:4101;');
  const haproxy = haproxyConfig('127.0.0.1:8080', CELLS);
  expect(haproxy).toMatch(/balance hdr\(x-tenant-id\)\n +hash-type consistent/);
  expect(haproxy).toContain('server cell-100-101 127.1.100.101:4101');
  expect(cellsConfig('/tmp/x', 4101, 4999)).toContain('listen 127.1.109.199:4101;');
});

test('pins of the fleet file are spread over its cells', () => {
  const file = JSON.parse(fleetFile(CELLS, ['t-1', 't-2', 't-3'])) as { pins: unknown };
  expect(file.pins).toEqual({ 't-1': 'cell-100-100', 't-2': 'cell-100-101', 't-3': 'cell-100-100' });
});
