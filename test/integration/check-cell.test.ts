// `cellgate check-cell` against services that are right, and against ones that each lack one thing.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { checkCell, type CheckOptions } from '../../infra/check-cell/check.ts';
import type { Findings } from '../../infra/check-cell/findings.ts';
import type { ContractOptions } from '../../cell-template/contract/contract.ts';
import { startService } from '../support/contract-service.ts';
import { freePort } from '../support/ports.ts';
import { spawnScript } from '../support/processes.ts';
import { ruleOf } from '../support/rules.ts';

const closings: (() => unknown)[] = [];
afterEach(async () => void (await Promise.all(closings.splice(0).map((close) => close()))));

const LEVEL_2: Partial<ContractOptions> = {
  more: () => ({ standbys: { 'cell-b': { state: 'synced', lagBytes: 0, lagSeconds: 0.5 } }, caughtUp: true }),
  position: async () => 'up-to-here',
};

async function service(options: Partial<ContractOptions> = LEVEL_2) {
  const one = await startService(options);
  closings.push(one.close);
  return one;
}

/** What a faulty service does with a request before the right one sees it; true: it has answered. */
type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A right service with one fault, and where it listens. */
async function faulty(fault: Fault): Promise<string> {
  const { app } = await service();
  const server = createServer((request, response) => {
    if (!fault(request, response)) app.routing(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function check(origin: string, options: Partial<CheckOptions> = {}): Promise<Findings> {
  return await checkCell({ origin, path: '/whose', bringRules: true, ...options });
}

/** The requirements that do not hold, and why. */
function missing({ all }: Findings): [string, string][] {
  return all.filter(({ holds }) => holds === false).map(({ requirement, result }) => [requirement, result]);
}

/** The health answer of a fault. */
function healthIs(answer: (response: ServerResponse) => void): Fault {
  return ({ url }, response) => {
    if (url !== '/health') return false;
    answer(response);
    return true;
  };
}

/** The health answer of a right service, changed. */
function healthWith({ code = 200, ...change }: Record<string, unknown> & { code?: number }): Fault {
  const told = { cell: 'cell-a', version: '1', status: 'ok', checks: {}, epochs: {}, rules: {}, ...change };
  return healthIs((response) => response.writeHead(code).end(JSON.stringify(told)));
}

test('a service with the plugin and the hooks is of level 2', async () => {
  const { url } = await service();
  const findings = await check(url);
  expect([missing(findings), findings.level]).toEqual([[], 2]);
});

test('one with the plugin alone is of level 1', async () => {
  const { url } = await service({});
  const findings = await check(url);
  expect(findings.level).toBe(1);
  expect(missing(findings).map(([requirement]) => requirement)).toEqual([
    'health shows standbys: state, lagBytes and lagSeconds of each',
    'health says whether it has caughtUp',
    'a closing rule is answered with a position, where it loses tenants',
  ]);
});

test('its own tenants may be what the rules are about, and its rule is there again afterwards', async () => {
  const { url, bring, health } = await service();
  const rule = ruleOf('cell-a', { epoch: 4 });
  await bring(rule);
  const findings = await check(url, { home: 'cell-a' });
  expect([missing(findings), findings.level]).toEqual([[], 2]);
  expect((await health())['rules']).toEqual({ 'cell-a': { ...rule, epoch: expect.any(Number) } });
});

test('no tenant of a fleet is served otherwise by the check', async () => {
  const { url, ask, bring } = await service();
  const rule = ruleOf('cell-a', { epoch: 4 });
  await bring(rule);
  await check(url);
  expect(await ask('acme', { epoch: 4 })).toMatchObject({ status: 200, body: { epoch: 4 } });
});

test('it can be checked again', async () => {
  const { url } = await service();
  await check(url);
  expect((await check(url)).level).toBe(2);
});

test('a token is brought along', async () => {
  const { url } = await service({ ...LEVEL_2, token: 'a-secret' });
  expect((await check(url, { token: 'a-secret' })).level).toBe(2);
  const [[requirement, result] = []] = missing(await check(url));
  expect([requirement, result]).toEqual([
    'PUT /.cellgate/serving takes a rule, and answers {home, epoch}',
    expect.stringContaining('answered 401: CELL_TOKEN is not set'),
  ]);
});

test('without being allowed to it brings no rule, and says what was not tried', async () => {
  const { url, health } = await service();
  const findings = await check(url, { bringRules: false });
  expect([findings.level, missing(findings)]).toEqual([0, []]);
  expect(new Set(findings.all.map(({ result }) => result))).toEqual(
    new Set(['holds', 'not tried: needs --bring-rules']),
  );
  expect(await health()).toMatchObject({ rules: {} });
});

test.each<[string, Fault, string]>([
  [
    'no JSON',
    healthIs((response) => response.end('fine')),
    'answered 200 with something that is not a JSON object',
  ],
  [
    'a redirect',
    healthIs((response) => response.writeHead(302, { location: '/' }).end()),
    'answered 302: routers follow no redirects',
  ],
  ['another status', healthIs((response) => response.writeHead(500).end('{}')), 'answered 500'],
  [
    'too much',
    healthIs((response) => response.end(`{"cell":"${'x'.repeat(2_000_000)}"}`)),
    'the answer is too large',
  ],
  ['no end', healthIs((response) => response.write('{"cell":')), 'no answer within 2 s'],
  ['a cut', healthIs((response) => void response.write('{', () => response.destroy())), 'aborted'],
])('health that answers %s is of no level, and that is one line', async (_what, fault, result) => {
  const findings = await check(await faulty(fault));
  expect(findings.level).toBeNull();
  expect(missing(findings)[0]).toEqual([
    'GET /health answers 200 or 503, with JSON of 1 MiB at most',
    result,
  ]);
});

test.each<[string, Parameters<typeof healthWith>[0], string, number | null]>([
  ['no version', { version: undefined }, 'it says cell, version, status and checks', null],
  ['a status of its own', { status: 'fine' }, 'it says cell, version, status and checks', null],
  ['503 that it does not explain', { code: 503 }, 'it answers 200, unless it says that it is down', null],
  ['no epochs', { epochs: undefined }, 'health shows epochs, by home', 0],
  [
    'rules that are others',
    { epochs: { x: 1 }, rules: {} },
    'health shows rules, by home, of those epochs',
    0,
  ],
])('health with %s is found out', async (_what, change, requirement, level) => {
  const findings = await check(await faulty(healthWith(change)), { bringRules: false });
  expect([missing(findings).map(([name]) => name), findings.level]).toEqual([
    expect.arrayContaining([requirement]),
    level,
  ]);
});

/** What a fault of level 1 does to requests of tenants: it changes what they say before the right service sees them. */
function tenants(change: (headers: IncomingMessage['headers']) => void): Fault {
  return ({ url, headers }) => {
    if (url === '/whose') change(headers);
    return false;
  };
}

const serveAll: Fault = ({ url }, response) => {
  if (url === '/whose') response.end('{}');
  return url === '/whose';
};

test.each<[string, Fault, string]>([
  ['serves everybody', serveAll, 'a tenant of a home that it knows no rule of gets 421'],
  [
    'looks at no deadline',
    tenants((headers) => delete headers['x-cell-deadline']),
    'a request whose x-cell-deadline has passed is dropped',
  ],
  [
    'believes every request to know the rule',
    tenants((headers) => (headers['x-cell-epoch'] = '999')),
    'who has moved is refused where it was sent by an older rule',
  ],
  [
    'takes rules of anybody',
    ({ headers }) => delete headers['x-forwarded-for'] && false,
    'without a token, a rule with x-forwarded-for is refused',
  ],
])('a service that %s is found out, and is of level 0', async (_what, fault, requirement) => {
  const findings = await check(await faulty(fault));
  expect([missing(findings).map(([name]) => name), findings.level]).toEqual([
    expect.arrayContaining([requirement]),
    0,
  ]);
});

test('a cell that takes no rule of that home says so once, and the rest is not tried', async () => {
  const findings = await check(
    await faulty(({ method }, response) => {
      if (method === 'PUT') response.writeHead(503).end();
      return method === 'PUT';
    }),
  );
  expect(missing(findings)).toEqual([
    [
      'PUT /.cellgate/serving takes a rule, and answers {home, epoch}',
      'answered 503 (try its own name as --home)',
    ],
  ]);
});

async function cellgate(args: readonly string[], env: Record<string, string> = {}) {
  const cli = spawnScript('infra/cli.ts', ['check-cell', ...args], env);
  return { code: await cli.exited, out: cli.stdout(), err: cli.stderr() };
}

test('it prints a line a requirement, and the level last', async () => {
  const { url } = await service({});
  const { code, out } = await cellgate([url, '--bring-rules', '--level', '2']);
  expect(out).toMatch(/^level +requirement +result\n0 +GET \/health .*holds\n/);
  expect([code, out.trim().split('\n').at(-1)]).toEqual([1, 'level 1']);
});

test('where nobody answers, or no TLS, there is no level, and one line says why', async () => {
  const { url } = await service({});
  const origins = [`http://127.0.0.1:${await freePort()}`, url.replace('http:', 'https:')];
  const all = await Promise.all(origins.map((origin) => check(origin)));
  expect(all.map(({ level }) => level)).toEqual([null, null]);
  expect(all.map((findings) => missing(findings).map(([, result]) => result))).toEqual([
    [expect.stringContaining('ECONNREFUSED')],
    [expect.stringMatching(/^[^\n]*SSL[^\n]*$/)],
  ]);
});
