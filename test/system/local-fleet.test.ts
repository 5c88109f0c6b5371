// `npm start` as a user meets it: what it shows, and a cell that is killed and brought back. One fleet for all.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocal, type LocalRun } from '../support/local-fleet.ts';
import { until } from '../support/wait.ts';

let fleet: LocalRun;
beforeAll(async () => {
  fleet = await startLocal(['--cells', '2', '--routers', '2']);
  await fleet.waitForLine(/^ready http/, 60_000);
});
afterAll(() => fleet.clean());

const shown = (pattern: RegExp): string[] =>
  fleet
    .stdout()
    .split('\n')
    .filter((line) => pattern.test(line));

async function ordersOf(tenant: string): Promise<unknown[] | null> {
  const response = await fetch(`http://127.0.0.1:${fleet.port}/orders`, {
    headers: { 'x-tenant-id': tenant },
  });
  return response.status === 200 ? ((await response.json()) as { orders: unknown[] }).orders : null;
}

test('its last line says where it is ready', () => {
  expect(fleet.stdout().trimEnd().split('\n').at(-1)).toBe(`ready http://127.0.0.1:${fleet.port}`);
});

test('it shows every cell with URL, pid and neighbour, and every router', () => {
  expect(shown(/^cell-[ab] +http:\/\/127\.0\.0\.1:\d+ +\d+ +cell-[ab]$/)).toHaveLength(2);
  expect(shown(/^router-[12] +http:\/\/127\.0\.0\.1:\d+ +http:\/\/127\.0\.0\.1:\d+ +\d+$/)).toHaveLength(2);
});

test('it shows how to kill a cell and how to bring it back', () => {
  expect(shown(/^ +kill -9 \d+$/)).toHaveLength(1);
  expect(shown(/^ +npx cellgate local restart cell-[ab]$/)).toHaveLength(1);
});

test('the three curl lines it shows work as they stand', () => {
  const answers = shown(/^ +curl /).map(
    (line) => spawnSync('bash', ['-c', line], { encoding: 'utf8' }).stdout,
  );
  expect(answers).toHaveLength(3);
  expect(answers[0]).toMatch(/^HTTP\/1.1 201 /);
  expect(answers[1]).toMatch(/"item":"tea"/);
  expect(JSON.parse(answers[2] ?? '')).toMatchObject({ tenant: 'acme', role: 'home' });
});

test('the fleet file it shows is one that `cellgate check-fleet` takes', async () => {
  const [line = ''] = shown(/^fleet file +/);
  const { code, out } = await fleet.cellgate('check-fleet', line.replace(/^fleet file +/, ''));
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/ is good: 2 cells \(cell-a, cell-b\), digest \w+\n$/),
  ]);
});

test('`cellgate explain` and `cellgate cells` ask its router', async () => {
  const explained = await fleet.cellgate('explain', 'acme');
  expect(explained.out).toMatch(/^acme is served by cell-[ab] \(home\)\n/);
  const cells = await fleet.cellgate('cells', '--json');
  expect((JSON.parse(cells.out) as { cells: unknown[] }).cells).toHaveLength(2);
});

test('only its owner can open the control socket', () => {
  expect(statSync(fleet.controlSocket()).mode & 0o777).toBe(0o600);
});

test('restarting what is not there names what is', async () => {
  const { code, err } = await fleet.cellgate('local', 'restart', 'cell-z');
  const known = /^cell-z is not part of this fleet \(known: redis, cell-a, cell-b, router-1, router-2\)\n$/;
  expect([code, err]).toEqual([2, expect.stringMatching(known)]);
});

test('`cellgate local pid` prints the pid alone, for kill', async () => {
  const { code, out } = await fleet.cellgate('local', 'pid', 'cell-a');
  const status = await fleet.cellgate('local', 'status', '--json');
  const rows = JSON.parse(status.out) as { name: string; pid: number }[];
  expect([code, out]).toEqual([0, `${rows.find(({ name }) => name === 'cell-a')?.pid}\n`]);
});

test('the pid of what is not there is bad input that names what is', async () => {
  const { code, err } = await fleet.cellgate('local', 'pid', 'cell-z');
  expect([code, err]).toEqual([2, expect.stringMatching(/^no cell-z in this fleet \(there are /)]);
});

test('a killed cell is brought back with `cellgate local restart`, its data with it', async () => {
  const { home } = JSON.parse((await fleet.cellgate('explain', 'globex', '--json')).out) as { home: string };
  const ordered = await fetch(`http://127.0.0.1:${fleet.port}/orders`, {
    method: 'POST',
    headers: { 'x-tenant-id': 'globex', 'content-type': 'application/json' },
    body: JSON.stringify({ item: 'tea', quantity: 1 }),
  });
  expect(ordered.status).toBe(201);
  process.kill(fleet.pidOf(home), 'SIGKILL');
  await fleet.waitForLine(
    new RegExp(`^${home} exited \\(SIGKILL\\); bring it back: npx cellgate local restart ${home}$`),
  );
  const status = await fleet.cellgate('local', 'status');
  expect(status.out).toMatch(new RegExp(`^${home} +exited \\(SIGKILL\\) +- +http`, 'm'));

  const restarted = await fleet.cellgate('local', 'restart', home);
  expect(restarted).toMatchObject({ code: 0, err: '' });
  expect(restarted.out).toMatch(
    new RegExp(`^${home} is up again at http://127\\.0\\.0\\.1:\\d+ \\(pid ${fleet.pidOf(home)}\\)\n$`),
  );
  await until(
    'its tenants are home again, with what they had',
    async () => (await ordersOf('globex'))?.length === 1,
  );
});
