// Each way in which the chaos proxy spoils a line, as both of its ends see it.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startChaosProxy, type ChaosProxy } from '../support/chaos-proxy.ts';
import { until } from '../support/wait.ts';

/** One end of a connection: what has arrived, and how it ended. */
type End = { socket: Socket; text: string; connected: boolean; closed: boolean; code: string | null };

let server: Server;
let target = 0;
let proxy: ChaosProxy;
let accepted: End[] = [];
let opened: End[] = [];

function watch(socket: Socket): End {
  const end: End = { socket, text: '', connected: false, closed: false, code: null };
  socket.on('connect', () => (end.connected = true));
  socket.on('data', (chunk: Buffer) => (end.text += chunk.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (end.code = error.code ?? error.message));
  socket.on('close', () => (end.closed = true));
  return end;
}

function open(): End {
  const end = watch(connect(proxy.port, '127.0.0.1'));
  opened.push(end);
  return end;
}

/** A connection that has carried a word each way. */
async function talking(): Promise<{ client: End; cell: End }> {
  const client = open();
  const before = accepted.length;
  client.socket.write('hello');
  const cell = await until('the target has heard it', () =>
    accepted.slice(before).find(({ text }) => text === 'hello'),
  );
  cell.socket.write('welcome');
  await until('the client has heard it', () => client.text === 'welcome');
  client.text = '';
  cell.text = '';
  return { client, cell };
}

/** Waits until a word has gone over another line: what the spoilt one would have carried, it would have by now. */
async function anotherLineWorks(): Promise<void> {
  const beside = await startChaosProxy({ target });
  const other = watch(connect(beside.port, '127.0.0.1'));
  opened.push(other);
  const before = accepted.length;
  other.socket.write('beside');
  await until('other lines carry bytes meanwhile', () =>
    accepted.slice(before).some(({ text }) => text === 'beside'),
  );
  await beside.close();
}

beforeEach(async () => {
  server = createServer((socket) => accepted.push(watch(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = (server.address() as AddressInfo).port;
  proxy = await startChaosProxy({ target });
});

afterEach(async () => {
  await proxy.close();
  for (const { socket } of [...opened, ...accepted]) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  accepted = [];
  opened = [];
});

test('passes bytes and the end both ways', async () => {
  const { client, cell } = await talking();
  client.socket.end('bye');

  await until('the end has come through and back', () => cell.closed && client.closed);
  expect(cell.text).toBe('bye');
  expect(client.code).toBeNull();
  await until('the proxy has forgotten it', () => proxy.connections === 0);
});

test('refuses new connections while those that are open go on', async () => {
  const { client, cell } = await talking();
  await proxy.mode('refuse');
  const late = open();
  client.socket.write('more');

  await until('the new one is refused', () => late.code);
  expect(late.code).toBe('ECONNREFUSED');
  await until('the open one goes on', () => cell.text === 'more');
});

test('listens again on the same port after it has refused', async () => {
  const { port } = proxy;
  await proxy.mode('refuse');
  await proxy.mode('pass');

  await talking();
  expect(proxy.port).toBe(port);
});

test('a black hole lets no connect through and refuses none', async () => {
  await proxy.mode('black-hole');
  const ends = Array.from({ length: 5 }, () => open());
  const accepting = accepted.length;
  await proxy.mode('pass');

  await until('they get through once it heals', () => ends.every(({ connected }) => connected), 20_000);
  expect(ends.map(({ code }) => code)).toEqual([null, null, null, null, null]);
  expect(accepting).toBe(0);
});

test('a connect into a black hole is still waiting when another one has come and gone', async () => {
  const { client } = await talking();
  await proxy.mode('black-hole');
  const hanging = open();
  await anotherLineWorks();

  expect({ connected: hanging.connected, code: hanging.code, closed: hanging.closed }).toEqual({
    connected: false,
    code: null,
    closed: false,
  });
  expect(client.closed).toBe(false);
});

test('a black hole keeps what is said in open connections, and the end of one, until it heals', async () => {
  const { client, cell } = await talking();
  await proxy.mode('black-hole');
  client.socket.end('said into the void');
  await anotherLineWorks();
  expect([cell.text, cell.closed]).toEqual(['', false]);

  await proxy.mode('pass');
  await until('all of it has arrived', () => cell.text === 'said into the void' && cell.closed);
});

test('resets every connection, open or new', async () => {
  const { client, cell } = await talking();
  await proxy.mode('reset');
  const late = open();

  await until('all are reset', () => client.code !== null && cell.code !== null && late.code !== null);
  expect([client.code, cell.code, late.code]).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
});

test.each(['to-target', 'to-client'] as const)(
  'delays what goes %s, in order, and not the other way',
  async (way) => {
    const { client, cell } = await talking();
    const [slow, quick] = way === 'to-target' ? [client, cell] : [cell, client];
    await proxy.mode({ delayMs: 1_000, way });
    slow.socket.write('a');
    slow.socket.write('b');
    quick.socket.write('quick');

    await until('the quick way has carried its word', () => slow.text === 'quick');
    expect(quick.text).toBe('');
    await until('the slow way has carried its words', () => quick.text === 'ab');
  },
);

test.each(['to-target', 'to-client'] as const)('cuts what goes %s alone', async (way) => {
  const { client, cell } = await talking();
  const [cut, heard] = way === 'to-target' ? [client, cell] : [cell, client];
  await proxy.mode({ cut: way });
  cut.socket.write('lost for now');
  heard.socket.write('heard');

  await until('the other way works', () => cut.text === 'heard');
  expect(heard.text).toBe('');
  await proxy.mode('pass');
  await until('it arrives once it heals', () => heard.text === 'lost for now');
});

test.each(['target', 'client'] as const)(
  'a half-open connection has lost its %s, and its other side knows nothing',
  async (gone) => {
    const { client, cell } = await talking();
    const [lost, left] = gone === 'target' ? [cell, client] : [client, cell];
    await proxy.mode({ halfOpen: gone });
    left.socket.write('anybody there?');

    await until('one side has ended', () => lost.closed);
    expect([left.closed, left.code, lost.text]).toEqual([false, null, '']);
    await proxy.mode('pass');
    left.socket.write('still there?');
    await until('it learns when it speaks after the heal', () => left.code === 'ECONNRESET');
  },
);

test('a target that refuses resets the client', async () => {
  const { port } = await startChaosProxy({ target: 1 }).then(async (one) => {
    await proxy.close();
    proxy = one;
    return one;
  });
  const client = watch(connect(port, '127.0.0.1'));
  opened.push(client);

  await until('it is reset', () => client.code === 'ECONNRESET');
});

test('with `only`, the modes touch the connections that have said the word, and no connect', async () => {
  await proxy.close();
  proxy = await startChaosProxy({ target, only: (chunk) => chunk.includes('SUBSCRIBE') });
  const { client: plain, cell: plainCell } = await talking();
  const { client: marked, cell: markedCell } = await talking();
  marked.socket.write('SUBSCRIBE x');
  await until('it has said the word', () => markedCell.text === 'SUBSCRIBE x');
  await proxy.mode('black-hole');
  marked.socket.write('more');
  plain.socket.write('more');

  await until('the others go on', () => plainCell.text === 'more');
  await talking();
  expect(markedCell.text).toBe('SUBSCRIBE x');
});

test('what a client said into a black hole is lost when it resets before the line heals', async () => {
  const { client, cell } = await talking();
  await proxy.mode('black-hole');
  client.socket.write('never sent again');
  await anotherLineWorks();
  client.socket.resetAndDestroy();
  await anotherLineWorks();
  await proxy.mode('pass');

  await until('the target hears of the reset', () => cell.closed);
  expect([cell.text, cell.code]).toEqual(['', 'ECONNRESET']);
});
