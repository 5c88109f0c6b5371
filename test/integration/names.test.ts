// A cell's origin that is a host name: its addresses are followed, by requests, probes and rules alike.
import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { startHosts, type Hosts } from '../support/hosts.ts';
import { freePort } from '../support/ports.ts';
import { routed, type Routed } from '../support/routed.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const NAME = 'cell-a.cells.test';

type Setting = Routed & { hosts: Hosts; old: StubCell; next: StubCell };

/** `cell-a` by its name, and two processes that are it, one port on two addresses. */
async function setting(first: Record<string, string> = { [NAME]: '127.0.0.2' }): Promise<Setting> {
  const port = await freePort();
  const hosts = await startHosts(first);
  const [old, next] = await Promise.all(
    ['127.0.0.2', '127.0.0.3'].map(async (host) => await startStubCell('cell-a', { host, port })),
  );
  if (old === undefined || next === undefined) throw new Error('no cells');
  onTestFinished(async () => void (await Promise.all([old.close(), next.close()])));
  const cell = { id: 'cell-a', origin: `http://${NAME}:${port}` };
  const inRouter = await routed([cell], { DNS_TTL_MS: '200', ...hosts.env });
  return { ...inRouter, hosts, old, next };
}

test('requests, probes and rules go to the new address, and leave no connection to the old one', async () => {
  const { send, hosts, old, next } = await setting();
  for (const { health } of [old, next]) Object.assign(health.body as object, { epochs: {} });
  expect((await send('acme')).status).toBe(200);
  expect(old.seen.some(({ url }) => url === '/orders')).toBe(true);
  await until('the old one has a rule', () => old.seen.some(({ method }) => method === 'PUT'));

  await hosts.set({ [NAME]: '127.0.0.3' });
  await until('the new one serves', async () => {
    expect((await send('acme')).status).toBe(200);
    return next.seen.some(({ url }) => url === '/orders');
  });
  await until('the new one has a rule', () => next.seen.some(({ method }) => method === 'PUT'));
  await until('the old one is left', () => old.sockets.size === 0);
});

test('a request that is under way when the address changes is finished where it is', async () => {
  const { send, hosts, old, next } = await setting();
  let open: ServerResponse | undefined;
  old.scripts.set('/slow', (_, response) => (open = response));
  const slow = send('acme', { path: '/slow' });
  const response = await until('it is under way', () => open);
  await hosts.set({ [NAME]: '127.0.0.3' });
  await until('the new one serves', async () => {
    await send('acme');
    return next.seen.length > 0;
  });
  response.end('from the old one');
  expect(await slow).toMatchObject({ status: 200, body: 'from the old one' });
});

test('no request waits for a resolver that does not answer', async () => {
  const { send, hosts, old } = await setting();
  await hosts.set({ [NAME]: '' });
  const sockets = old.sockets.size;
  const replies = await Promise.all(Array.from({ length: 20 }, () => send('acme')));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
  expect(old.sockets.size).toBeGreaterThan(sockets);
});

test('a name that is gone keeps its last address', async () => {
  const { send, hosts, old, opinionOf } = await setting();
  await hosts.set({});
  const before = old.seen.length;
  await until('it was served long enough', async () => {
    expect((await send('acme')).status).toBe(200);
    return old.seen.length >= before + 50;
  });
  expect(await opinionOf('cell-a')).toBe('up');
});

test('a name that nobody knows at the start is a cell that is down, until it is known', async () => {
  const { hosts, opinionOf, send } = await setting({});
  await until('it is down', async () => (await opinionOf('cell-a')) === 'down');
  await hosts.set({ [NAME]: '127.0.0.2' });
  await until('it is up', async () => (await opinionOf('cell-a')) === 'up');
  expect((await send('acme')).status).toBe(200);
});
