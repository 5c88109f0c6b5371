// A quarantined tenant at a real router: refused everywhere at once, by hand and by sight, and nobody else with it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { metricsOf, sumOf, untilNothingInside } from '../support/metrics.ts';
import { spawnScript } from '../support/processes.ts';
import { head, openClient } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const TOKEN = 'a-long-enough-token';
const WISH = { reason: 'kills what it touches', owner: 'anna', expiresIn: 600 };

type Json = Record<string, unknown>;

let a: StubCell;
let b: StubCell;
let router: RunningRouter;
const websockets = new WebSocketServer({ noServer: true });

beforeEach(async () => {
  const onUpgrade = (request: IncomingMessage, socket: Duplex, early: Buffer): void => {
    socket.on('error', () => undefined);
    websockets.handleUpgrade(request, socket, early, (ws) => ws.on('error', () => undefined));
  };
  [a, b] = (await Promise.all(['cell-a', 'cell-b'].map((id) => startStubCell(id, { onUpgrade })))) as [
    StubCell,
    StubCell,
  ];
  router = await start();
});

afterEach(async () => {
  await untilNothingInside(router.admin);
  await router.stop();
  await Promise.all([a.close(), b.close()]);
});

async function start(env: Record<string, string> = {}): Promise<RunningRouter> {
  const origins = { 'cell-a': { origin: a.origin }, 'cell-b': { origin: b.origin } };
  const pins = { acme: 'cell-a', bolt: 'cell-a', core: 'cell-b' };
  const quick = { ADMIN_TOKEN: `anna:${TOKEN}`, PROBE_INTERVAL_MS: '50', FALL: '2' };
  const started = await startRouter(fleetOf(origins, { pins }), { ...quick, ...env });
  await until(
    'both cells are up',
    async () => sumOf(await metricsOf(started.admin), 'cellgate_cell_up') === 2,
  );
  return started;
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  token: string | null = TOKEN,
): Promise<{ status: number; body: Json }> {
  const answer = await fetch(`${router.admin}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Json };
}

const get = async (path: string) => await ask('GET', path, undefined, null);
const quarantine = async (tenant = 'acme', wish: Json = WISH) =>
  await ask('PUT', `/v1/quarantine/${tenant}`, wish);

/** `200 cell-a`, or for a refusal `503 tenant-quarantined`. */
async function send(tenant: string, path = '/', method = 'GET'): Promise<string> {
  const answer = await fetch(`${router.url}${path}`, { method, headers: { 'x-tenant-id': tenant } });
  const { code } = (await answer.json()) as { code?: string };
  return `${answer.status} ${code ?? answer.headers.get('x-cell-id') ?? ''}`;
}

/** A path whose requests stay inside the cell; answers those that came. */
function swallow(cell: StubCell, path: string): ServerResponse[] {
  const inside: ServerResponse[] = [];
  cell.scripts.set(path, (_, response) => void inside.push(response));
  return inside;
}

describe('by hand', () => {
  test('the tenant is refused at once, and told for how long, and its neighbours in the cell are not', async () => {
    const { status, body } = await quarantine();
    expect([status, body]).toEqual([
      200,
      {
        tenant: 'acme',
        home: 'cell-a',
        since: expect.stringMatching(/Z$/),
        until: expect.stringMatching(/Z$/),
        actor: 'anna',
        owner: 'anna',
        reason: WISH.reason,
      },
    ]);
    const answer = await fetch(router.url, { headers: { 'x-tenant-id': 'acme' } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('retry-after')).toMatch(/^(600|599|598)$/);
    expect(await answer.json()).toMatchObject({ status: 503, code: 'tenant-quarantined' });
    expect(await send('bolt')).toBe('200 cell-a');
  });

  test('the list, the tenant and the explanation say so', async () => {
    expect((await get('/v1/quarantine')).body).toEqual({ quarantine: [] });
    expect(await get('/v1/quarantine/acme')).toMatchObject({ status: 404, body: { code: 'not-found' } });
    const { body: entry } = await quarantine();
    expect((await get('/v1/quarantine')).body).toEqual({ quarantine: [entry] });
    expect(await get('/v1/quarantine/acme')).toEqual({ status: 200, body: entry });
    expect((await get('/v1/tenants/acme')).body).toMatchObject({
      home: 'cell-a',
      cell: null,
      role: null,
      reason: `quarantined by anna until ${String(entry['until'])}: ${WISH.reason}; home is serving`,
    });
    expect(sumOf(await metricsOf(router.admin), 'cellgate_quarantined_tenants')).toBe(1);
  });

  test('it is lifted by hand, with or without a word', async () => {
    await quarantine();
    expect(await ask('DELETE', '/v1/quarantine/acme', { reason: 'mended', owner: 'bob' })).toMatchObject({
      status: 200,
      body: { tenant: 'acme', reason: WISH.reason },
    });
    expect(await send('acme')).toBe('200 cell-a');
    expect(await ask('DELETE', '/v1/quarantine/acme')).toMatchObject({ status: 404 });
    await quarantine();
    expect((await ask('DELETE', '/v1/quarantine/acme')).status).toBe(200);
    const { events } = (await get('/v1/events')).body as { events: Json[] };
    expect(events.map(({ actor, reason }) => [actor, reason])).toEqual([
      ['anna', 'let in by hand'],
      ['anna', WISH.reason],
      ['anna', 'mended'],
      ['anna', WISH.reason],
    ]);
  });

  test('it ends by itself', async () => {
    await quarantine('acme', { ...WISH, expiresIn: 1 });
    expect(await send('acme')).toBe('503 tenant-quarantined');
    await until('it is over', async () => (await send('acme')) === '200 cell-a');
    await until('the end is an event', async () => {
      const { events } = (await get('/v1/events?limit=1')).body as { events: Json[] };
      return events[0]?.['cause'] === 'expired';
    });
  });

  test('what the tenant has open is ended so that its clients know, and nobody else’s', async () => {
    const open = async (tenant: string): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${router.port}/ws`, {
        headers: { 'x-tenant-id': tenant },
      });
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return socket;
    };
    a.scripts.set('/events', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    });
    const [ours, others] = [await open('acme'), await open('bolt')];
    const closed = new Promise<number>((resolve) => ours.once('close', resolve));
    const events = await openClient(router.port);
    events.send(head('GET /events', 'X-Tenant-Id: acme'));
    await events.untilReceived('data: 1\n\n');
    await quarantine();
    expect(await closed).toBe(1013);
    await events.untilReceived('0\r\n\r\n');
    expect(others.readyState).toBe(WebSocket.OPEN);
    events.close();
    const gone = new Promise((resolve) => others.once('close', resolve));
    others.close();
    await gone;
  });

  test('what it has in flight is refused, and the cell is left alone with it', async () => {
    const inside = swallow(a, '/slow');
    const [ours, others] = [send('acme', '/slow', 'POST'), send('bolt', '/slow', 'POST')];
    await until('both are inside', () => inside.length === 2);
    await quarantine();
    expect(await ours).toBe('503 tenant-quarantined');
    await until('the cell was left', () => inside.some(({ destroyed }) => destroyed));
    for (const response of inside) response.end('{}');
    expect(await others).toBe('200 cell-a');
  });

  test('an answer that has begun is cut, never ended as if it were whole', async () => {
    a.scripts.set('/long', (_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '10' }).write('half');
    });
    const client = await openClient(router.port);
    client.send(head('GET /long', 'X-Tenant-Id: acme'));
    await client.untilReceived('half');
    await quarantine();
    await until('it is cut', () => client.closed);
    expect(client.received.endsWith('half')).toBe(true);
  });

  test('what it has waiting for a verdict is refused, and the others wait on', async () => {
    await router.stop();
    router = await start({ FALL: '100', PROBE_INTERVAL_MS: '1000' });
    await a.die();
    const [ours, others] = [send('acme'), send('bolt')];
    await until(
      'both wait',
      async () => sumOf(await metricsOf(router.admin), 'cellgate_held_requests') === 2,
    );
    await quarantine();
    expect(await ours).toBe('503 tenant-quarantined');
    expect(sumOf(await metricsOf(router.admin), 'cellgate_held_requests')).toBe(1);
    await a.reopen();
    expect(await others).toBe('200 cell-a');
  });
});

describe('who may', () => {
  test('without a token, or with a wrong one, nothing changes', async () => {
    for (const token of [null, `${TOKEN}x`]) {
      expect(await ask('PUT', '/v1/quarantine/acme', WISH, token)).toMatchObject({
        status: 401,
        body: { code: 'admin-unauthorized' },
      });
      expect((await ask('DELETE', '/v1/quarantine/acme', undefined, token)).status).toBe(401);
    }
    expect(await send('acme')).toBe('200 cell-a');
  });

  test('a wish without reason, owner and end names all that is missing', async () => {
    const { status, body } = await quarantine('acme', { forever: true });
    expect(status).toBe(400);
    for (const name of ['reason', 'owner', 'expiresIn', 'forever']) {
      expect(String(body['title'])).toContain(`${name}: `);
    }
  });

  test('what is no tenant can not be quarantined', async () => {
    expect(await quarantine('a%20b')).toMatchObject({ status: 400, body: { code: 'admin-invalid' } });
    expect((await get('/v1/quarantine/a%20b')).status).toBe(400);
  });
});

test('the command line lists, refuses and lets in', async () => {
  const cellgate = async (...args: string[]) => {
    const env = { CELLGATE_ADMIN: router.admin, CELLGATE_TOKEN: TOKEN };
    const cli = spawnScript('infra/cli.ts', args, env);
    return [await cli.exited, cli.stdout() + cli.stderr()];
  };
  expect(await cellgate('quarantine')).toEqual([0, 'nobody is quarantined\n']);
  const wish = ['--expires-in', '10m', '--reason', 'a drill', '--owner', 'anna'];
  expect(await cellgate('quarantine', 'acme', ...wish)).toEqual([
    0,
    expect.stringMatching(/^acme: refused until \S+Z\n$/),
  ]);
  expect(await cellgate('quarantine')).toEqual([
    0,
    expect.stringMatching(
      /^tenant +home +until +by +owner +reason\nacme +cell-a +\S+ +anna +anna +a drill\n$/,
    ),
  ]);
  expect(await send('acme')).toBe('503 tenant-quarantined');
  expect(await cellgate('events', '--limit', '1')).toEqual([
    0,
    expect.stringMatching(/quarantine of acme: added; operator, anna: a drill\n$/),
  ]);
  expect(await cellgate('unquarantine', 'acme')).toEqual([0, 'acme: let in again\n']);
  expect(await cellgate('unquarantine', 'acme')).toEqual([1, expect.stringContaining('not quarantined')]);
  expect(await cellgate('quarantine', 'acme')).toEqual([2, expect.stringContaining('--expires-in')]);
  expect(await cellgate('quarantine', '--reason', 'x')).toEqual([2, 'which tenant?\n']);
});

describe('by sight', () => {
  /** A request of this path kills the cell that it reaches. */
  function poison(cell: StubCell): void {
    cell.scripts.set('/poison', () => void cell.die());
  }

  test('a tenant whose request kills both cells of its pair is quarantined, and they live on without it', async () => {
    for (const cell of [a, b]) poison(cell);
    expect(await send('acme', '/poison')).toMatch(/^50[234] /);
    await until('it is refused', async () => (await send('acme')) === '503 tenant-quarantined');
    expect((await get('/v1/quarantine')).body).toMatchObject({
      quarantine: [{ tenant: 'acme', home: 'cell-a', actor: 'quorum', owner: null }],
    });
    await Promise.all([a.reopen(), b.reopen()]);
    await until('the others are served', async () => {
      const answers = await Promise.all([send('bolt'), send('core')]);
      return answers.every((answer) => answer.startsWith('200 '));
    });
    expect(await send('acme', '/poison')).toBe('503 tenant-quarantined');
    expect([a.server.listening, b.server.listening]).toEqual([true, true]);
  });

  test('one whose requests are not sent again is as well, by its third one, when the cells were started again', async () => {
    for (const cell of [a, b]) poison(cell);
    expect(await send('acme', '/poison', 'POST')).toBe('502 cell-connection-failed');
    await until('it is refused', async () => {
      const answer = await send('acme', '/poison', 'POST');
      // As a supervisor does, once both were found dead.
      const opinions = ((await get('/v1/cells')).body as { cells: Json[] }).cells.map(
        ({ opinion }) => opinion,
      );
      if (opinions.every((one) => one === 'down')) await Promise.all([a.reopen(), b.reopen()]);
      return answer.includes('quarantined');
    });
  });

  test('a tenant that fails alone for long is quarantined, and its cell stays', async () => {
    a.scripts.set('/ill', (_, response) => response.writeHead(502).end('{}'));
    await until('it is refused', async () => {
      const answers = await Promise.all([
        ...Array.from({ length: 8 }, () => send('acme', '/ill')),
        send('bolt'),
        send('bolt'),
      ]);
      return answers[0] === '503 tenant-quarantined';
    });
    expect(await send('bolt')).toBe('200 cell-a');
    const { events } = (await get('/v1/events')).body as { events: Json[] };
    expect(events).toMatchObject([{ cell: 'cell-a', to: 'serving', details: { failing: 'cell-a' } }]);
  });
});
