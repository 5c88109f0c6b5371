// A contender that answers anything else than the cells do is found out, and what TLS is driven with compares, too.
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Target } from '../../loadtest/bench/contenders/launch.ts';
import { checkAnswers, checkEcho, sampleAnswers, WrongAnswer } from '../../loadtest/bench/speed-check.ts';
import { driveH2Compared, driveResumption } from '../../loadtest/bench/speed-drive-tls.ts';
import { driveAutocannon } from '../../loadtest/bench/speed-drive-autocannon.ts';
import type { Machine } from '../../loadtest/bench/speed-machine.ts';
import { answerTo, WORKLOADS } from '../../loadtest/bench/speed-workloads.ts';
import { makeCertificates } from '../support/certificates.ts';
import { temporaryFolder } from '../support/processes.ts';
import { until } from '../support/wait.ts';

const TENANTS = { first: 0, count: 100 };
const MARK = { began: () => undefined, ends: () => undefined };
const NOTHING_INSTALLED: Machine = {
  cores: { proxy: null, load: null, cells: null },
  tools: { taskset: null, wrk: null, nginx: null, haproxy: null, h2load: null, openssl: null },
  about: [],
};

async function targetOf(server: Server, ca: string | null = null): Promise<Target> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { id: 'one', label: 'one', pid: process.pid, port, ca, logFile: null };
}

const right: RequestListener = ({ headers }, response) => {
  response.end(answerTo(WORKLOADS.get, String(headers['x-tenant-id'])));
};

function load(target: Target) {
  return { machine: NOTHING_INSTALLED, target, workload: WORKLOADS.get, tenants: TENANTS, windowMs: 300 };
}

test('right answers are counted, and measured', async () => {
  const target = await targetOf(createServer(right));
  const { answers, sizes } = await checkAnswers(target, WORKLOADS.get, TENANTS, 10);
  expect(answers).toBe(10);
  expect(sizes.min).toBeGreaterThan(128);
  expect(sizes.max).toBe(sizes.min);
});

test('an answer that belongs to another tenant is wrong', async () => {
  const target = await targetOf(
    createServer((_request, response) => void response.end(answerTo(WORKLOADS.get, 'tenant-0000000'))),
  );
  await expect(checkAnswers(target, WORKLOADS.get, TENANTS, 10)).rejects.toThrow(WrongAnswer);
});

test('an empty 200 is wrong', async () => {
  const target = await targetOf(createServer((_request, response) => void response.end()));
  await expect(checkAnswers(target, WORKLOADS.get, TENANTS, 1)).rejects.toThrow('status 200, 0 bytes');
});

test('an answer that goes wrong under load is found beside it', async () => {
  let count = 0;
  const target = await targetOf(
    createServer((request, response) => {
      count += 1;
      if (count < 5) right(request, response);
      else response.writeHead(500, { 'content-length': 0 }).end();
    }),
  );
  const beside = sampleAnswers(target, WORKLOADS.get, TENANTS);
  await until('it was asked often enough', () => count >= 5);
  await expect(beside.stop()).rejects.toThrow('status 500');
});

test('a body that does not arrive as it was sent is wrong', async () => {
  const echo = await targetOf(createServer((request, response) => void request.pipe(response)));
  await expect(checkEcho(echo)).rejects.toThrow('content-length');
  const shortened = await targetOf(
    createServer((request, response) => {
      request.resume().on('end', () => response.end('{}'));
    }),
  );
  await expect(checkEcho(shortened)).rejects.toThrow(WrongAnswer);
});

test('autocannon counts a wrong body as failed, and compares each one', async () => {
  const good = await driveAutocannon.run(load(await targetOf(createServer(right))), MARK);
  expect(good).toMatchObject({ failed: 0, compared: good.requests });
  expect(good.requests).toBeGreaterThan(0);
  const bad = await targetOf(createServer((_request, response) => void response.end('something else')));
  const { requests, failed } = await driveAutocannon.run(load(bad), MARK);
  expect(failed).toBe(requests);
});

test('TLS sessions are resumed, HTTP/2 is spoken, and every body is compared', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { authority, certificate, key } = makeCertificates(folder);
  const versions = new Set<string>();
  const server = createSecureServer(
    { cert: readFileSync(certificate), key: readFileSync(key), allowHTTP1: true },
    (request, response) => {
      versions.add(request.httpVersion);
      const body = answerTo(WORKLOADS.get, String(request.headers['x-tenant-id']));
      response.writeHead(200, { 'content-length': Buffer.byteLength(body) });
      response.end(body);
    },
  );
  const target = await targetOf(server, readFileSync(authority, 'utf8'));
  const resumed = await driveResumption.run(load(target), MARK);
  expect(resumed).toMatchObject({ failed: 0, compared: resumed.requests });
  expect(resumed.resumed).toBeGreaterThan(0);
  expect([...versions]).toEqual(['1.1']);
  const h2 = await driveH2Compared.run(load(target), MARK);
  expect(h2).toMatchObject({ failed: 0, compared: h2.requests });
  expect([...versions]).toEqual(['1.1', '2.0']);
});
