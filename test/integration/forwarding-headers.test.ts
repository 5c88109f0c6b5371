// Which header fields pass, which end at the router, and which it adds, in both directions.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, head, openClient, pairs, valuesOf } from '../support/raw-http.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type SeenRequest, type StubCell } from '../support/stub-cell.ts';

let cell: StubCell;
let router: RunningRouter;
let behindProxy: RunningRouter;

beforeAll(async () => {
  cell = await startStubCell('cell-a');
  const fleet = fleetOf({ 'cell-a': { origin: cell.origin } });
  [router, behindProxy] = await Promise.all([
    startRouter(fleet),
    startRouter(fleet, { TRUSTED_PROXIES: '127.0.0.0/8' }),
  ]);
});

afterAll(async () => {
  await Promise.all([router.stop(), behindProxy.stop()]);
  await cell.close();
});

/** What the cell saw of a request with these fields. */
async function seenWith(fields: string[], through = router): Promise<SeenRequest> {
  cell.seen.length = 0;
  const answer = await ask(through.port, head('GET /seen', ...fields));
  expect(answer.status).toBe(200);
  const [seen] = cell.seen;
  if (seen === undefined) throw new Error('the cell saw nothing');
  return seen;
}

function namesOf(seen: SeenRequest): string[] {
  return pairs(seen.rawHeaders).map(([name]) => name.toLowerCase());
}

test('the cell is told whose request it is, who serves, and until when', async () => {
  const before = Date.now();
  const { headers } = await seenWith([]);
  expect(headers).toMatchObject({
    host: 'api.test',
    'x-tenant-id': 'acme',
    'x-cell-id': 'cell-a',
    'x-cell-home': 'cell-a',
    'x-cell-role': 'home',
    'x-cell-epoch': '1',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'api.test',
  });
  expect(headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
  expect(headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const deadline = Number(headers['x-cell-deadline']);
  expect(deadline).toBeGreaterThanOrEqual(before + 30_000);
  expect(deadline).toBeLessThanOrEqual(Date.now() + 30_000);
});

test('the client is told the cell and its request id, whatever the cell says of them', async () => {
  cell.scripts.set('/says-so', (_, response) => {
    response.setHeader('x-cell-id', 'cell-z').setHeader('x-request-id', 'made-up').end();
  });
  const answer = await ask(router.port, head('GET /says-so', 'x-request-id: req.1:a/b'));
  expect(valuesOf(answer, 'x-cell-id')).toEqual(['cell-a']);
  expect(valuesOf(answer, 'x-request-id')).toEqual(['req.1:a/b']);
});

test("a client's request id goes on to the cell, an unsafe one is replaced", async () => {
  expect((await seenWith(['X-Request-Id: req-42'])).headers['x-request-id']).toBe('req-42');
  const replaced = (await seenWith(['X-Request-Id: a b"c'])).headers['x-request-id'];
  expect(replaced).toMatch(/^[0-9a-f]{32}$/);
});

test('a trace goes on with a new parent, and its state with it', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const { headers } = await seenWith([`traceparent: 00-${trace}-00f067aa0ba902b7-00`, 'tracestate: a=1']);
  expect(headers['traceparent']).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
  expect(headers['traceparent']).not.toContain('00f067aa0ba902b7');
  expect(headers['tracestate']).toBe('a=1');
});

test('a malformed trace is replaced, and its state dropped', async () => {
  const { headers } = await seenWith(['traceparent: 00-zz-00-01', 'tracestate: a=1']);
  expect(headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(headers['tracestate']).toBeUndefined();
});

test("a client's copies of the router's own fields are dropped", async () => {
  const seen = await seenWith([
    'X-Cell-Id: cell-z',
    'x-cell-role: guest',
    'X_Cell_Epoch: 99',
    'x-cell-anything: 1',
    'X_Tenant_Id: mallory',
    'X-Tenant_Id: mallory',
    'X_Request_Id: mallory',
    'X_Forwarded_For: 6.6.6.6',
  ]);
  expect(seen.headers).toMatchObject({ 'x-cell-id': 'cell-a', 'x-cell-role': 'home', 'x-cell-epoch': '1' });
  expect(JSON.stringify(seen.rawHeaders)).not.toMatch(/mallory|cell-z|x-cell-anything|6\.6\.6\.6/i);
  expect(seen.headers['x-tenant-id']).toBe('acme');
  expect(
    namesOf(seen)
      .filter((name) => name.startsWith('x-cell-'))
      .sort(),
  ).toEqual(['x-cell-deadline', 'x-cell-epoch', 'x-cell-home', 'x-cell-id', 'x-cell-role']);
});

test('a non-ASCII tenant reaches the cell as the UTF-8 it is', async () => {
  cell.seen.length = 0;
  const tenant = Buffer.from('café-東京', 'utf8').toString('latin1');
  const answer = await ask(router.port, head('GET /').replace('acme', tenant));
  expect(answer.status).toBe(200);
  expect(cell.seen[0]?.headers['x-tenant-id']).toBe(tenant);
});

test('forwarding fields of an untrusted peer are not believed', async () => {
  const { headers } = await seenWith([
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.test',
    'Forwarded: for=6.6.6.6',
  ]);
  expect(headers).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'api.test',
  });
  expect(headers['forwarded']).toBeUndefined();
});

test('those of a trusted proxy are, and the proxy is added', async () => {
  const fields = ['X-Forwarded-For: 9.9.9.9', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: shop.test'];
  const { headers } = await seenWith(fields, behindProxy);
  expect(headers).toMatchObject({
    'x-forwarded-for': '9.9.9.9, 127.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.test',
  });
});

test("a client's hop-by-hop fields end at the router", async () => {
  const seen = await seenWith([
    'Keep-Alive: timeout=5',
    'TE: trailers, gzip',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic c2VjcmV0',
    'Connection: keep-alive, X-Hop, TE',
    'X-Hop: 1',
    'X-Stays: 1',
  ]);
  const names = namesOf(seen);
  for (const name of ['keep-alive', 'te', 'proxy-connection', 'proxy-authorization', 'x-hop'])
    expect(names).not.toContain(name);
  expect(names).toContain('x-stays');
});

test("a cell's hop-by-hop fields end at the router", async () => {
  cell.scripts.set('/hops', (request) => {
    request.socket.end(
      'HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nKeep-Alive: timeout=1\r\nX-Hop: 1\r\n' +
        'Proxy-Authenticate: Basic\r\nTrailer: X-T\r\nUpgrade: h2c\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok',
    );
  });
  const client = await openClient(router.port);
  client.send(head('GET /hops'));
  const answer = await client.answer();
  expect(answer.body).toBe('ok');
  for (const name of ['x-hop', 'proxy-authenticate', 'trailer', 'upgrade'])
    expect(valuesOf(answer, name)).toEqual([]);
  expect(valuesOf(answer, 'connection')).not.toContain('close');
  expect(valuesOf(answer, 'keep-alive')).not.toContain('timeout=1');
  expect(valuesOf(answer, 'x-stays')).toEqual(['1']);

  // The cell closed its own connection; the client's is another one.
  client.send(head('GET /again'));
  expect((await client.answer()).status).toBe(200);
  client.close();
});

test.each([
  'x-tenant-id',
  'X-Cell-Id, x-cell-role, x-cell-epoch',
  'x-request-id, traceparent, x-forwarded-for',
  'host, content-length',
])('`Connection: %s` takes nothing away', async (named) => {
  const { headers } = await seenWith([`Connection: ${named}`]);
  expect(headers).toMatchObject({ host: 'api.test', 'x-tenant-id': 'acme', 'x-cell-id': 'cell-a' });
  for (const name of ['x-cell-role', 'x-cell-epoch', 'x-request-id', 'traceparent', 'x-forwarded-for'])
    expect(headers[name]).toBeDefined();
});

test('an upgrade to HTTP/2 is ignored, and its fields dropped', async () => {
  const seen = await seenWith([
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
  ]);
  expect(namesOf(seen)).not.toContain('upgrade');
  expect(namesOf(seen)).not.toContain('http2-settings');
});

test('`Connection: close` of a client is honoured, and its own alone', async () => {
  const client = await openClient(router.port);
  client.send(head('GET /last', 'Connection: close'));
  const answer = await client.answer();
  expect(valuesOf(answer, 'connection').map((value) => value.toLowerCase())).toEqual(['close']);
  await client.untilClosed();
  expect(client.failure).toBeNull();
});

test('an HTTP/1.0 client gets its answer without chunks, and the end of its connection', async () => {
  cell.scripts.set('/in-chunks', (_, response) => {
    response.write('one ');
    response.end('two');
  });
  const client = await openClient(router.port);
  client.send('GET /in-chunks HTTP/1.0\r\nx-tenant-id: acme\r\n\r\n');
  await client.untilClosed();
  const answer = await client.answer();
  expect(answer).toMatchObject({ status: 200, body: 'one two' });
  expect(valuesOf(answer, 'transfer-encoding')).toEqual([]);
});

test('fields keep their case, order and number on the way to the cell', async () => {
  const fields = ['X-Zed: 1', 'aCCept: text/html', 'X-Many: a', 'X-Many: b', 'Cookie: x=1', 'X-Empty:'];
  const seen = await seenWith(fields);
  const own = pairs(seen.rawHeaders).filter(([name]) => /^(X-Zed|aCCept|X-Many|Cookie|X-Empty)$/.test(name));
  expect(own).toEqual([
    ['X-Zed', '1'],
    ['aCCept', 'text/html'],
    ['X-Many', 'a'],
    ['X-Many', 'b'],
    ['Cookie', 'x=1'],
    ['X-Empty', ''],
  ]);
});

test('fields keep their case, order and number on the way to the client', async () => {
  const fields = [
    'X-Zed: 1',
    'Set-Cookie: a=1; Path=/',
    'X-mixED: caf\u00e9',
    'Set-Cookie: b=2',
    'Vary: A',
    'Vary: B',
  ];
  cell.scripts.set('/fields', (request) => {
    const text = ['HTTP/1.1 200 OK', ...fields, 'Content-Length: 0', '', ''].join('\r\n');
    request.socket.end(Buffer.from(text, 'latin1'));
  });
  const answer = await ask(router.port, head('GET /fields'));
  const own = answer.headers.filter(([name]) => /^(X-Zed|Set-Cookie|X-mixED|Vary)$/.test(name));
  expect(own.map(([name, value]) => `${name}: ${value}`)).toEqual(fields);
});

test.each([
  ['an unknown', 'application/x-unheard-of; a="b;c"'],
  ['a malformed', ';;=/ not a media type'],
  ['an empty', ''],
])('%s media type is no business of the router', async (_, type) => {
  cell.seen.length = 0;
  const answer = await ask(
    router.port,
    `${head('POST /typed', `Content-Type: ${type}`, 'Content-Length: 2')}{x`,
  );
  expect(answer.status).toBe(200);
  expect(cell.seen[0]).toMatchObject({ body: '{x', method: 'POST' });
  expect(pairs(cell.seen[0]?.rawHeaders ?? [])).toContainEqual(['Content-Type', type]);
});
