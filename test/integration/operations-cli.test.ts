// The commands that change something, and the audit log: what they ask a router for, and how they end.
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { operated, TOKEN } from '../support/operated.ts';
import { freePort } from '../support/ports.ts';
import { spawnScript, temporaryFolder } from '../support/processes.ts';

const WHY = ['--reason', 'power works', '--owner', 'anna'];
const STAY = [...WHY, '--expires-in', '30m'];
const RECORD = {
  home: 'cell-a',
  neighbour: 'cell-b',
  state: 'serving',
  share: 50,
  epoch: 3,
  deadline: '2026-01-02T03:04:05.000Z',
  pins: {},
};

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));

type Asked = {
  method: string | undefined;
  url: string | undefined;
  token: string | undefined;
  body: unknown;
};
type Answer = { status: number; body: unknown };

/** An admin port that keeps what it was asked, and gives the answers one after the other, the last one again and again. */
async function adminThatAnswers(
  ...answers: Answer[]
): Promise<{ env: Record<string, string>; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const { method, url, headers } = request;
      const body = method === 'GET' ? null : await json(request);
      const { status, body: told } = answers[asked.length] ?? answers.at(-1) ?? { status: 500, body: {} };
      asked.push({ method, url, token: headers.authorization, body });
      response.writeHead(status).end(JSON.stringify(told));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { env: { CELLGATE_ADMIN: url, CELLGATE_TOKEN: TOKEN }, asked };
}

async function cellgate(args: readonly string[], env: Record<string, string> = {}) {
  const cli = spawnScript('infra/cli.ts', args, { TMPDIR: folder, ...env });
  return { code: await cli.exited, out: cli.stdout(), err: cli.stderr() };
}

/** The shares that were asked for. */
function percentsOf(asked: readonly Asked[]): number[] {
  return asked.flatMap(({ method, body }) =>
    method === 'POST' ? [(body as { percent: number }).percent] : [],
  );
}

const words = { reason: 'power works', owner: 'anna', override: [] };

test.each([
  [
    'drain cell-a --percent 50',
    'POST',
    '/v1/cells/cell-a/drain',
    { ...words, percent: 50, expiresIn: 1_800 },
  ],
  ['evacuate cell-a', 'POST', '/v1/cells/cell-a/drain', { ...words, percent: 100, expiresIn: 1_800 }],
  ['pin a/b --cell cell-b', 'PUT', '/v1/pins/a%2Fb', { ...words, cell: 'cell-b', expiresIn: 1_800 }],
  [
    'evacuate cell-a --override target-up --override caught-up',
    'POST',
    '/v1/cells/cell-a/drain',
    { ...words, percent: 100, expiresIn: 1_800, override: ['target-up', 'caught-up'] },
  ],
])('%s asks for it with token, reason, owner and end', async (command, method, url, body) => {
  const { env, asked } = await adminThatAnswers({ status: 200, body: RECORD });
  const { code, err } = await cellgate([...command.split(' '), ...STAY], env);
  expect([code, err]).toEqual([0, '']);
  expect(asked).toEqual([{ method, url, token: `Bearer ${TOKEN}`, body }]);
});

test.each([
  ['restore cell-a', 'POST', '/v1/cells/cell-a/restore'],
  ['unpin acme', 'DELETE', '/v1/pins/acme'],
])('%s needs no end', async (command, method, url) => {
  const { env, asked } = await adminThatAnswers({ status: 200, body: { ...RECORD, share: 0 } });
  const { code, err } = await cellgate([...command.split(' '), ...WHY], env);
  expect([code, err]).toEqual([0, '']);
  expect(asked).toEqual([{ method, url, token: `Bearer ${TOKEN}`, body: words }]);
});

test('what came of it is one line', async () => {
  const { env } = await adminThatAnswers({ status: 200, body: RECORD });
  const { out } = await cellgate(['drain', 'cell-a', '--percent', '50', ...STAY], env);
  expect(out).toBe(
    'cell-a: 50 % of its tenants are away at cell-b, until 2026-01-02T03:04:05.000Z (epoch 3)\n',
  );
});

test('--json passes on the record', async () => {
  const { env } = await adminThatAnswers({ status: 200, body: RECORD });
  const { out } = await cellgate(['pin', 'acme', '--cell', 'cell-b', '--json', ...STAY], env);
  expect(JSON.parse(out)).toEqual(RECORD);
});

/** What `GET /v1/cells` answers while so many percent of cell-a are away. */
function cellsWith(share: number): Answer {
  return { status: 200, body: { cells: [{ id: 'cell-a', share, phase: 'open' }] } };
}

test('a drain in steps asks for one after the other, and tells of each', async () => {
  const records = [10, 50, 100].map((share) => ({ status: 200, body: { ...RECORD, share } }));
  const { env, asked } = await adminThatAnswers(cellsWith(0), ...records);
  const { code, out } = await cellgate(
    ['drain', 'cell-a', '--steps', '10,50,100', '--pause', '0', ...STAY],
    env,
  );
  expect(code).toBe(0);
  expect(percentsOf(asked)).toEqual([10, 50, 100]);
  expect(out.match(/\d+ %/g)).toEqual(['10 %', '50 %', '100 %']);
});

test('a drain in steps that was interrupted goes on from where it is, and says so', async () => {
  const { env, asked } = await adminThatAnswers(cellsWith(25), { status: 200, body: RECORD });
  const { code, out } = await cellgate(['drain', 'cell-a', '--steps', '10,25,50', ...STAY], env);
  expect([code, percentsOf(asked)]).toEqual([0, [50]]);
  expect(out.split('\n')).toEqual([
    'cell-a: 25 % of its tenants are away already, left out: 10 %, 25 %',
    expect.stringMatching(/^cell-a: 50 % of its tenants are away at cell-b, /),
    '',
  ]);
});

test('a drain in steps as JSON prints the record alone, wherever it goes on from', async () => {
  const { env } = await adminThatAnswers(cellsWith(25), { status: 200, body: RECORD });
  const { out } = await cellgate(['drain', 'cell-a', '--steps', '10,25,50', '--json', ...STAY], env);
  expect(JSON.parse(out)).toEqual(RECORD);
});

test('a drain in steps ends with the first one that is refused', async () => {
  const refused = {
    status: 409,
    body: { title: 'The cell that would gain tenants is not up.', rule: 'target-up' },
  };
  const first = { status: 200, body: { ...RECORD, share: 10 } };
  const { env, asked } = await adminThatAnswers(cellsWith(0), first, refused);
  const { code, out, err } = await cellgate(
    ['drain', 'cell-a', '--percent', '100', '--steps', '10,50', '--pause', '0', ...STAY],
    env,
  );
  expect([code, percentsOf(asked)]).toEqual([1, [10, 50]]);
  expect(out).toMatch(/^cell-a: 10 %.*\n$/);
  expect(err).toMatch(
    /answered 409: The cell that would gain tenants is not up\. \(--override target-up overrules it\)\n$/,
  );
});

test('what can not be overruled is told by its name', async () => {
  const { env } = await adminThatAnswers({
    status: 409,
    body: { title: 'A pin is to the home or to its neighbour.', rule: 'third-cell' },
  });
  const { code, err } = await cellgate(['pin', 'acme', '--cell', 'cell-c', ...STAY], env);
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/answered 409: A pin is to the home or to its neighbour\. \(third-cell\)\n$/),
  ]);
});

test('an undone handover is exit code 1, and says who was waited for', async () => {
  const { env } = await adminThatAnswers({
    status: 503,
    body: { title: 'Undone.', code: 'handover-undone', waitingFor: ['router-2: requests inside', 'cells'] },
  });
  const { code, err } = await cellgate(['restore', 'cell-a', ...WHY], env);
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/answered 503: Undone\. Waited for: router-2: requests inside · cells\n$/),
  ]);
});

test.each([
  ['drain cell-a', STAY],
  ['drain cell-a --percent 101', STAY],
  ['drain cell-a --percent 10 --steps 50', STAY],
  ['drain cell-a --percent 10', WHY],
  ['drain cell-a --percent 10 --expires-in 8d', WHY],
  ['evacuate', STAY],
  ['evacuate cell-a --owner anna --expires-in 2h', []],
  ['restore cell-a --reason over', []],
  ['pin acme', STAY],
  ['unpin', WHY],
])('%s is bad input, in one line, and asks nothing', async (command, more) => {
  const { env, asked } = await adminThatAnswers({ status: 200, body: RECORD });
  const { code, out, err } = await cellgate([...command.split(' '), ...more], env);
  expect([code, out, err]).toEqual([2, '', expect.stringMatching(/^[^\n]+\n$/)]);
  expect(asked).toEqual([]);
});

test('without a token nothing is asked', async () => {
  const { env, asked } = await adminThatAnswers({ status: 200, body: RECORD });
  for (const CELLGATE_TOKEN of ['', 'two\nlines']) {
    const { code, err } = await cellgate(['restore', 'cell-a', ...WHY], { ...env, CELLGATE_TOKEN });
    expect([code, err]).toEqual([2, expect.stringMatching(/^CELLGATE_TOKEN is not set, [^\n]+\n$/)]);
  }
  expect(asked).toEqual([]);
});

test('the token is never printed', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const { code, out, err } = await cellgate(['restore', 'cell-a', ...WHY], {
    CELLGATE_ADMIN: url,
    CELLGATE_TOKEN: TOKEN,
  });
  expect(code).toBe(1);
  expect(out + err).not.toContain(TOKEN);
});

const event = (n: number) => ({
  id: `${n}-0`,
  at: '2026-01-02T03:04:05.000Z',
  cell: 'cell-a',
  from: 'serving',
  to: 'drained',
  epoch: n,
  cause: 'operator',
  actor: 'anna',
  reason: 'power works',
  details: { phase: 'open', share: 100 },
});

test('events are printed as one reads them, the newest last', async () => {
  const { env, asked } = await adminThatAnswers({ status: 200, body: { events: [event(3), event(2)] } });
  const { code, out } = await cellgate(['events', '--limit', '2'], env);
  expect([code, asked[0]?.url]).toEqual([0, '/v1/events?limit=2']);
  expect(out.split('\n')).toEqual([
    '2026-01-02T03:04:05.000Z cell-a epoch 2: serving → drained, open, 100 % away; operator, anna: power works',
    '2026-01-02T03:04:05.000Z cell-a epoch 3: serving → drained, open, 100 % away; operator, anna: power works',
    '',
  ]);
});

test('events --json passes on the answer', async () => {
  const body = { events: [event(2)] };
  const { env } = await adminThatAnswers({ status: 200, body });
  expect(JSON.parse((await cellgate(['events', '--json'], env)).out)).toEqual(body);
});

test('events --follow asks for newer ones only, and outlives a router that is away', async () => {
  const { env, asked } = await adminThatAnswers(
    { status: 200, body: { events: [event(2)] } },
    { status: 503, body: { title: 'The store of the events does not answer.' } },
    { status: 200, body: { events: [event(4), event(3)] } },
    { status: 200, body: { events: [] } },
  );
  const cli = spawnScript('infra/cli.ts', ['events', '--follow', '--json'], { TMPDIR: folder, ...env });
  await cli.waitForLine(/"epoch":4/);
  const epochs = cli
    .stdout()
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { epoch: number }).epoch);
  expect(epochs).toEqual([2, 3, 4]);
  expect(asked.slice(1, 3).map(({ url }) => url)).toEqual(Array(2).fill('/v1/events?limit=1000&after=2-0'));
  expect(cli.stderr()).toMatch(/^[^\n]*does not answer\.\n$/);
  cli.stopGroup('SIGINT');
  expect(await cli.exited).toBe('SIGINT');
});

test('against a real router each of them does what it says', async () => {
  const { router, servedBy } = await operated();
  const env = { CELLGATE_ADMIN: router.admin, CELLGATE_TOKEN: TOKEN };
  const done = async (command: string, more: string[]): Promise<string> => {
    const { code, out, err } = await cellgate([...command.split(' '), ...more], env);
    expect([code, err]).toEqual([0, '']);
    return out;
  };
  expect(await done('unpin acme', WHY)).toBe('acme: not pinned (home cell-a, epoch 1)\n');
  expect(await done('drain cell-a --steps 10,99 --pause 0', STAY)).toMatch(
    /^cell-a: 10 % of its tenants are away at cell-b, until \S+Z \(epoch 3\)\ncell-a: 99 %.*\(epoch 5\)\n$/,
  );
  expect(await done('pin acme --cell cell-a', STAY)).toMatch(/^acme: pinned to cell-a, until \S+Z /);
  expect(await servedBy('acme')).toBe('cell-a');
  expect(await done('explain acme', [])).toMatch(/pinned to cell-a/);
  expect(await done('cells', [])).toMatch(/^cell-a +serving +cell-a 1 %, cell-b 99 % /m);
  expect(await done('unpin acme', WHY)).toMatch(/^acme: not pinned /);
  expect(await done('evacuate cell-a', STAY)).toMatch(/^cell-a: 100 % of its tenants are away at cell-b, /);
  expect(await servedBy('acme')).toBe('cell-b');
  const refused = await cellgate(['pin', 'acme', '--cell', 'cell-a', ...STAY], env);
  expect([refused.code, refused.out, refused.err]).toEqual([
    1,
    '',
    expect.stringMatching(/\(already-away\)\n$/),
  ]);
  expect(await done('restore cell-a', WHY)).toMatch(/^cell-a: serves its tenants itself /);
  expect(await servedBy('acme')).toBe('cell-a');
  const lines = (await done('events --limit 3', [])).trim().split('\n');
  expect(lines.at(-1)).toMatch(/ cell-a epoch \d+: serving, open, 0 % away; operator, anna: power works$/);
  expect(lines).toHaveLength(3);
});
