// The command line by itself: exit codes, and one sentence for whatever it can't do.
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { spawnScript, temporaryFolder } from '../support/processes.ts';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));

async function cellgate(args: readonly string[], env: Record<string, string> = {}) {
  const cli = spawnScript('infra/cli.ts', args, { TMPDIR: folder, ...env });
  return { code: await cli.exited, out: cli.stdout(), err: cli.stderr() };
}

/** A router's admin port that answers every request the same way. */
async function adminThatAnswers(status: number, body: string): Promise<{ CELLGATE_ADMIN: string }> {
  const server = createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { CELLGATE_ADMIN: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test.each([[[]], [['frobnicate']], [['local']], [['local', 'restart']], [['explain']], [['cells', '--xml']]])(
  'cellgate %j is bad input, in one line',
  async (args) => {
    const { code, out, err } = await cellgate(args);
    expect([code, out, err]).toEqual([2, '', expect.stringMatching(/^[^\n]+\n$/)]);
  },
);

test('help that was asked for is no error', async () => {
  const { code, out, err } = await cellgate(['--help']);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^Usage: cellgate /);
});

test.each([[['local', 'restart', 'cell-b']], [['local', 'status']]])(
  'without a local fleet %j says so',
  async (args) => {
    const { code, err } = await cellgate(args);
    expect([code, err]).toEqual([1, 'no local fleet runs; start one with npm start\n']);
  },
);

test('without a router it says where it asked', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const { code, err } = await cellgate(['explain', 'acme'], { CELLGATE_ADMIN: url });
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(new RegExp(`^no router answers at ${url}: [^\\n]+\\n$`)),
  ]);
});

test('a CELLGATE_ADMIN that is no URL is bad input', async () => {
  const { code, err } = await cellgate(['cells'], { CELLGATE_ADMIN: 'localhost:9090' });
  expect([code, err]).toEqual([2, 'CELLGATE_ADMIN is not an http:// or https:// URL: localhost:9090\n']);
});

test('a refusal is told in the router’s words', async () => {
  const admin = await adminThatAnswers(400, JSON.stringify({ title: 'Bad', detail: 'not a tenant ID' }));
  const { code, err } = await cellgate(['explain', 'acme'], admin);
  expect([code, err]).toEqual([2, expect.stringMatching(/answered 400: not a tenant ID\n$/)]);
});

test('an answer that is not JSON is told as one', async () => {
  const { code, err } = await cellgate(['cells'], await adminThatAnswers(502, '<h1>Bad gateway</h1>'));
  expect([code, err]).toEqual([1, expect.stringMatching(/answered 502: no reason given\n$/)]);
});

test('--json passes on what the router answered', async () => {
  const body = { cells: [] };
  const { code, out } = await cellgate(
    ['cells', '--json'],
    await adminThatAnswers(200, JSON.stringify(body)),
  );
  expect([code, JSON.parse(out)]).toEqual([0, body]);
});

test('all faults of a fleet file are named, one line each', async () => {
  const file = join(folder, 'fleet.yaml');
  writeFileSync(file, 'cells: { cell-a: { origin: "http://127.0.0.1:1", wieght: 2 } }\nfrobnicate: 1\n');
  const { code, err } = await cellgate(['check-fleet', file]);
  expect(code).toBe(2);
  expect(err).toMatch(/^cells\.cell-a\.wieght: /m);
  expect(err).toMatch(/^frobnicate: /m);
  expect(err).toMatch(/^generations: /m);
});
