// SIGTERM: what is under way is finished, what has no end is ended, and nothing is lost that a client could save.
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { Balancer } from '../support/balancer.ts';
import { ask, head, openClient, valuesOf, type RawClient } from '../support/raw-http.ts';
import { startRedis } from '../support/redis.ts';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

let cell: StubCell;
const waiting: ServerResponse[] = [];
const websockets = new WebSocketServer({ noServer: true });

beforeAll(async () => {
  cell = await startStubCell('cell-a', {
    onUpgrade: (request, socket, early) =>
      websockets.handleUpgrade(request, socket, early, (ws) => ws.on('error', () => undefined)),
  });
  cell.scripts.set('/long', (_, response) => waiting.push(response));
  cell.scripts.set('/begun', (_, response) => {
    response.write('begun ');
    waiting.push(response);
  });
  cell.scripts.set('/events', (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    waiting.push(response);
  });
});

afterAll(async () => await cell.close());

async function start(env: Record<string, string> = {}): Promise<RunningRouter> {
  const router = await startRouter(fleetOf({ 'cell-a': { origin: cell.origin } }), env);
  // Whatever a test finds, nothing is left of its router.
  onTestFinished(async () => void (await router.stop()));
  return router;
}

/** A client that has sent a request which the cell has not answered yet. */
async function underWay(
  router: RunningRouter,
  path: string,
): Promise<{ client: RawClient; response: ServerResponse }> {
  const before = waiting.length;
  const client = await openClient(router.port);
  client.send(head(`GET ${path}`));
  const response = await until('the cell has the request', () => waiting[before]);
  return { client, response };
}

async function untilRefused(router: RunningRouter): Promise<void> {
  await until('no new connection is taken', async () => {
    const client = await openClient(router.port).catch(() => null);
    client?.close();
    return client === null;
  });
}

test('a request under way is finished, its connection closed, and the exit code is 0', async () => {
  const router = await start();
  const { client, response } = await underWay(router, '/long');
  const stopped = router.stop();
  await untilRefused(router);
  response.end('in the end');
  const answer = await client.answer();
  expect(answer).toMatchObject({ status: 200, body: 'in the end', whole: true });
  expect(valuesOf(answer, 'connection').map((value) => value.toLowerCase())).toEqual(['close']);
  await client.untilClosed();
  expect(await stopped).toBe(0);
});

test('an answer under way is finished, and the router does not wait for its connection', async () => {
  const router = await start();
  const { client, response } = await underWay(router, '/begun');
  await client.untilReceived('begun');
  const stopped = router.stop();
  await untilRefused(router);
  response.end('and done');
  expect(await client.answer()).toMatchObject({ body: 'begun and done', whole: true });
  await client.untilClosed();
  expect(await stopped).toBe(0);
});

test('idle connections are closed', async () => {
  const router = await start();
  const client = await openClient(router.port);
  client.send(head('GET /'));
  expect((await client.answer()).status).toBe(200);
  expect(await router.stop()).toBe(0);
  await client.untilClosed();
  expect(client.failure).toBeNull();
});

test('event streams are ended and tunnels closed', async () => {
  const router = await start();
  const stream = await underWay(router, '/events');
  await stream.client.untilReceived('data: 1');
  const tunnel = await openClient(router.port);
  const key = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  tunnel.send(head('GET /ws', 'Connection: Upgrade', 'Upgrade: websocket', ...key));
  expect((await tunnel.answer()).status).toBe(101);
  expect(await router.stop()).toBe(0);
  expect(await stream.client.answer()).toMatchObject({ whole: true, body: 'data: 1\n\n' });
  await tunnel.untilClosed();
  await until('the cell sees both gone', () => stream.response.destroyed && websockets.clients.size === 0);
});

test('a client that accepts events, and waits for its answer still, gets that answer', async () => {
  const router = await start();
  const before = waiting.length;
  const client = await openClient(router.port);
  client.send(head('GET /long', 'Accept: text/event-stream, application/json'));
  const response = await until('the cell has the request', () => waiting[before]);
  const stopped = router.stop();
  await untilRefused(router);
  response.writeHead(201, { 'content-type': 'application/json' }).end('{"made": true}');
  expect(await client.answer()).toMatchObject({ status: 201, body: '{"made": true}', whole: true });
  expect(await stopped).toBe(0);
});

test('what hangs is cut after the drain time-out', async () => {
  const router = await start({ DRAIN_TIMEOUT_MS: '300' });
  const { client } = await underWay(router, '/long');
  expect(await router.stop()).toBe(0);
  await client.untilClosed();
  expect(client.received).toBe('');
});

test('in the grace /readyz says no at once, and requests are still served, each with a goodbye', async () => {
  const router = await start({ DRAIN_GRACE_MS: '1500' });
  const kept = await openClient(router.port);
  kept.send(head('GET /'));
  expect(valuesOf(await kept.answer(), 'connection')).not.toContain('close');
  const stopped = router.stop();
  await until('/readyz says no', async () => (await fetch(`${router.admin}/readyz`)).status === 503);
  expect((await fetch(`${router.admin}/livez`)).status).toBe(200);

  const answer = await ask(router.port, head('GET /new'));
  expect(answer.status).toBe(200);
  expect(valuesOf(answer, 'connection')).toEqual(['close']);
  kept.send(head('GET /again'));
  expect(valuesOf(await kept.answer(), 'connection')).toEqual(['close']);
  await kept.untilClosed();
  expect(await stopped).toBe(0);
});

test('under load no request of a client is lost that heeds `Connection: close`', async () => {
  const router = await start({ DRAIN_GRACE_MS: '400' });
  let draining = false;
  const statuses: number[] = [];
  const work = async (): Promise<void> => {
    // Like a balancer's connection: used again and again, left when asked to, not opened anew once not ready.
    while (!draining) {
      const client = await openClient(router.port);
      let stays = true;
      while (stays) {
        client.send(`${head('POST /orders', 'content-length: 5')}hello`);
        const answer = await client.answer('POST');
        statuses.push(answer.whole ? answer.status : 0);
        stays = !valuesOf(answer, 'connection').includes('close');
      }
      client.close();
      draining = (await fetch(`${router.admin}/readyz`)).status !== 200;
    }
  };
  const workers = Array.from({ length: 8 }, () => work());
  await until('traffic flows', () => statuses.length > 100);
  const stopped = router.stop();
  await Promise.all(workers);
  expect(await stopped).toBe(0);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
});

test('routers behind a balancer that reads /readyz are replaced one by one, and no request fails', async () => {
  const redis = await startRedis();
  const balancer = new Balancer();
  onTestFinished(async () => {
    balancer.close();
    await redis.stop();
  });
  let replaced = 0;
  // Long enough for the balancer to have looked, however busy the machine is.
  const next = async (): Promise<RunningRouter> => {
    replaced += 1;
    return await start({ REDIS_URL: redis.url, ROUTER_ID: `router-${replaced}`, DRAIN_GRACE_MS: '3000' });
  };
  const routers = await Promise.all([next(), next()]);
  for (const router of routers) balancer.add(router);
  const statuses: number[] = [];
  const over = new AbortController();
  const work = async (method: string): Promise<void> => {
    while (!over.signal.aborted) statuses.push(await balancer.send(method, method === 'POST' ? 'hello' : ''));
  };
  const workers = Array.from({ length: 8 }, (_, i) => work(i % 2 === 0 ? 'GET' : 'POST'));
  for (const leaving of routers) {
    const fresh = await next();
    balancer.add(fresh);
    const served = statuses.length;
    await until('traffic flows', () => statuses.length > served + 200);
    expect(await leaving.stop()).toBe(0);
    expect(balancer.uses(leaving)).toBe(false);
  }
  over.abort();
  await Promise.all(workers);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
});

test('requests are served to the last though Redis is frozen while the router stops', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const router = await start({ REDIS_URL: redis.url, DRAIN_GRACE_MS: '2000' });
  const client = await openClient(router.port);
  await redis.kill('SIGSTOP');
  const stopped = router.stop();
  await until('the router drains', () => router.logs.some(({ msg }) => msg === 'router draining'));
  client.send(head('GET /late'));
  expect((await client.answer()).status).toBe(200);
  expect(await stopped).toBe(0);
});

test('SIGINT ends it like SIGTERM', async () => {
  const router = await start();
  router.kill('SIGINT');
  expect(await router.exited).toBe(0);
});
