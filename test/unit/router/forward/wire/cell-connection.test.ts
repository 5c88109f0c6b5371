// One request at a time on a real connection to a cell, and every way in which it may go.
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import {
  AnswerTimeout,
  BodyMismatch,
  BodyTooLarge,
  ClientGone,
  ConnectionClosed,
  ConnectTimeout,
} from '../../../../../router/forward/failure.ts';
import { MalformedAnswer } from '../../../../../router/forward/wire/answer-head.ts';
import { CellConnection } from '../../../../../router/forward/wire/cell-connection.ts';
import { startBlackHole, startSilence } from '../../../../support/black-hole.ts';
import { freePort } from '../../../../support/ports.ts';
import { SWITCHING } from '../../../../support/upgrade.ts';
import { until } from '../../../../support/wait.ts';
import { answerOf, ask, bodyFrom, OK, Outcome, poolTo, post, startRawCell, startSaying } from './cells.ts';

/** Keeps the event loop from turning for so long. */
function blockFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** A connection whose writes to the socket are counted. */
function countedTo(port: number): { connection: CellConnection; writes: string[]; freed: boolean[] } {
  const writes: string[] = [];
  const freed: boolean[] = [];
  const connection = new CellConnection({
    dial: (read) => {
      const buffer = Buffer.alloc(65_536);
      const callback = (length: number): boolean => {
        read?.(buffer, length);
        return true;
      };
      const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
      const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
      socket.write = (chunk: Uint8Array | string, ...more: unknown[]) => {
        writes.push(Buffer.from(chunk as string, 'latin1').toString('latin1'));
        return write(chunk, ...more);
      };
      return socket;
    },
    opened: 'connect',
    connectTimeoutMs: 10_000,
    tunnel: false,
    onFree: (_, persistent) => freed.push(persistent),
    onClosed: () => undefined,
  });
  onTestFinished(() => connection.close());
  return { connection, writes, freed };
}

/** A cell that gives each body back, read by Node's own server. */
async function startEcho(): Promise<number> {
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end(Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('a request goes as its head, and its answer is told from the head to the last of it', async () => {
  const cell = await startSaying(answerOf('hello', 'X-Own: 1'));
  const outcome = await ask(poolTo(cell.port).take()).end();
  expect(outcome).toMatchObject({ sent: 1, body: 'hello', whole: true, failure: null });
  expect(outcome.head?.fields.slice(0, 2)).toEqual(['X-Own', '1']);
  expect(outcome.told).toEqual(['sent', 'answer', 'whole']);
  expect(cell.peers[0]?.received).toBe('GET / HTTP/1.1\r\nhost: cell.test\r\n\r\n');
});

test.each([
  ['with a length', post(5), 'hello'],
  ['in chunks', post(null), '5\r\nhello\r\n'],
])('a small body %s goes with its head in one write', async (_, request, written) => {
  const cell = await startSaying('');
  const { connection, writes } = countedTo(cell.port);
  const { stream, body } = bodyFrom();
  stream.end('hello');
  ask(connection, { ...request, body });
  await until('the body is written', () => writes.join('').includes('hello'));
  expect(writes[0]).toBe(request.head + written);
  await until('all of it is written', () => stream.readableEnded);
  expect(writes.slice(1)).toEqual(request.chunked ? ['0\r\n\r\n'] : []);
});

test('a head does not wait for a body that has not come', async () => {
  const cell = await startRawCell(() => undefined);
  const { stream, body } = bodyFrom();
  ask(poolTo(cell.port).take(), { ...post(5), body });
  await until('the head is there', () => cell.peers[0]?.received === post(5).head);
  stream.end('hello');
  await until('the body is there', () => cell.peers[0]?.received === `${post(5).head}hello`);
});

test('a body that is empty after all is framed as one', async () => {
  const cell = await startSaying('', answerOf(''));
  const { stream, body } = bodyFrom();
  stream.end();
  ask(poolTo(cell.port).take(), { ...post(null), body });
  await until('it is there', () => cell.peers[0]?.received === `${post(null).head}0\r\n\r\n`);
});

test('whatever a body’s parts are, another server reads the same bytes, on one connection', async () => {
  const port = await startEcho();
  const pool = poolTo(port);
  const sizes = fc.array(fc.constantFrom(1, 15, 16, 17, 255, 16_383, 16_384, 16_385, 40_000, 100_000), {
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(sizes, fc.boolean(), async (sizes, chunked) => {
      const parts = sizes.map((size, i) => Buffer.alloc(size, i + 0xfa));
      const sent = Buffer.concat(parts);
      const { stream, body } = bodyFrom();
      const outcome = ask(pool.take(), { ...post(chunked ? null : sent.length), body });
      for (const part of parts) stream.write(part);
      stream.end();
      await outcome.end();
      expect(outcome.failure).toBe(null);
      expect(outcome.body === sent.toString('latin1')).toBe(true);
      await until('the connection is free', () => !pool.take().closed);
    }),
    { numRuns: 60 },
  );
});

test('a body goes as fast as the cell takes it', async () => {
  const cell = await startRawCell(({ socket }) => socket.pause());
  const { stream, body } = bodyFrom();
  ask(poolTo(cell.port).take(), { ...post(null), body });
  let taken = 0;
  const feed = (): boolean => {
    taken += 1;
    return stream.write(Buffer.alloc(65_536));
  };
  await until('it takes no more', () => {
    while (feed());
    return !body.replayable && stream.isPaused();
  });
  expect(taken * 65_536).toBeLessThan(64 * 1_048_576);
  stream.end();
  cell.peers[0]?.socket.removeAllListeners('data').resume();
  await until('all of it is taken', () => stream.readableEnded);
});

test('a cell that says nothing runs out of time, and its connection is closed', async () => {
  const cell = await startRawCell(() => undefined);
  const outcome = await ask(poolTo(cell.port).take(), { timeoutMs: 50 }).end();
  expect(outcome.failure).toBeInstanceOf(AnswerTimeout);
  expect(outcome.told).toEqual(['sent', 'failed']);
  await until('it is closed', () => cell.peers[0]?.ended);
});

test('interim answers and a head that trickles do not give a cell more time', async () => {
  const cell = await startSaying(({ socket }) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 10);
    socket.once('close', () => clearInterval(timer));
  });
  const outcome = await ask(poolTo(cell.port).take(), { timeoutMs: 100 }).end();
  expect(outcome.failure).toBeInstanceOf(AnswerTimeout);
});

test('an answer that was begun in time may take longer', async () => {
  const cell = await startSaying(({ socket }) => socket.write(`${OK}Content-Length: 2\r\n\r\na`));
  const outcome = ask(poolTo(cell.port).take(), { timeoutMs: 300 });
  await until('it has begun', () => outcome.head);
  const sinceMs = performance.now();
  await until('its time is over', () => performance.now() - sinceMs > 400);
  cell.peers[0]?.socket.write('b');
  expect(await outcome.end()).toMatchObject({ body: 'ab', whole: true });
});

test('a client that takes its time with its body is not the cell’s fault', async () => {
  const cell = await startRawCell(({ socket, received }) => {
    if (received.endsWith('end')) socket.write(answerOf('ok'));
  });
  const { stream, body } = bodyFrom();
  const outcome = ask(poolTo(cell.port).take(), { ...post(6), body, timeoutMs: 200 });
  stream.write('the');
  await until('the first of it is there', () => cell.peers[0]?.received.endsWith('the'));
  const sinceMs = performance.now();
  await until('more than the cell’s time is over', () => performance.now() - sinceMs > 500);
  expect(outcome.over).toBe(false);
  stream.end('end');
  expect(await outcome.end()).toMatchObject({ body: 'ok', whole: true });
});

test('from the last of the body the cell has all of its time, and no more', async () => {
  const cell = await startRawCell(() => undefined);
  const { stream, body } = bodyFrom();
  const outcome = ask(poolTo(cell.port).take(), { ...post(6), body, timeoutMs: 100 });
  const sinceMs = performance.now();
  await until('more than the cell’s time is over', () => performance.now() - sinceMs > 300);
  stream.end('theend');
  expect((await outcome.end()).failure).toBeInstanceOf(AnswerTimeout);
});

test('a cell that takes nothing of a body runs out of time, though the body has not ended', async () => {
  const silence = await startSilence();
  onTestFinished(async () => await silence.close());
  const { stream, body } = bodyFrom();
  const outcome = ask(poolTo(silence.port).take(), { ...post(null), body, timeoutMs: 300 });
  const feed = setInterval(() => stream.writableLength === 0 && stream.write(Buffer.alloc(1_048_576)), 5);
  onTestFinished(() => clearInterval(feed));
  expect((await outcome.end()).failure).toBeInstanceOf(AnswerTimeout);
});

test('an answer that has come in time counts, however late this process is to read it', async () => {
  const cell = await startSaying(({ socket }) => {
    socket.write(answerOf('in time'));
    blockFor(400);
  });
  const outcome = await ask(poolTo(cell.port).take(), { timeoutMs: 100 }).end();
  expect(outcome).toMatchObject({ body: 'in time', failure: null });
});

test('time that ran out between two requests does not end the second', async () => {
  const cell = await startSaying(answerOf('one'), answerOf('two'));
  const pool = poolTo(cell.port);
  const connection = pool.take();
  await ask(connection, { timeoutMs: 100 }).end();
  const second = new Outcome();
  // Both times are over when the loop turns next: one of the first request, and that until the second.
  setTimeout(() => ask(connection, { timeoutMs: 100, outcome: second }), 100);
  blockFor(300);
  expect(await second.end()).toMatchObject({ body: 'two', failure: null });
});

test('a connection that has come about in time counts, however late this process is to see it', async () => {
  const cell = await startSaying(answerOf('in time'));
  const pool = poolTo(cell.port, 100);
  const outcome = new Outcome();
  // Timers come next behind an immediate, before what the kernel has to tell.
  setImmediate(() => {
    ask(pool.take(), { outcome });
    process.nextTick(blockFor, 400);
  });
  expect(await outcome.end()).toMatchObject({ body: 'in time', failure: null });
});

test('a connection that does not come about runs out of time, and nothing was sent', async () => {
  const hole = await startBlackHole();
  onTestFinished(async () => await hole.close());
  const pool = poolTo(hole.port, 100);
  const outcome = await ask(pool.take()).end();
  expect(outcome.failure).toBeInstanceOf(ConnectTimeout);
  expect(outcome.told).toEqual(['failed']);
});

test('a refused connection is told as the system says it, and nothing was sent', async () => {
  const outcome = await ask(poolTo(await freePort()).take()).end();
  expect(outcome.failure).toMatchObject({ code: 'ECONNREFUSED' });
  expect(outcome.told).toEqual(['failed']);
});

test.each([
  ['before its answer', ''],
  ['amid a head', 'HTTP/1.1 200'],
  ['amid a body', `${OK}Content-Length: 10\r\n\r\nabc`],
  ['amid a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nabc`],
  ['before the last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`],
])('a cell that ends the connection %s has failed, by a reset or not', async (_, text) => {
  for (const how of ['end', 'resetAndDestroy'] as const) {
    const cell = await startRawCell(({ socket }) => {
      // The pieces come apart: a reset takes away what has not been read yet.
      if (text !== '') socket.write(text, () => setTimeout(() => socket[how](), 20));
      else socket[how]();
    });
    const outcome = await ask(poolTo(cell.port).take()).end();
    expect([outcome.whole, outcome.told.at(-1)]).toEqual([false, 'failed']);
    if (how === 'end') expect(outcome.failure).toBeInstanceOf(ConnectionClosed);
    else expect(outcome.failure).toMatchObject({ code: 'ECONNRESET' });
  }
});

test('an answer that ends with its connection is whole when that ends, and cut when it breaks', async () => {
  const cell = await startSaying(({ socket }) => socket.end(`${OK}\r\nabc`));
  expect(await ask(poolTo(cell.port).take()).end()).toMatchObject({ body: 'abc', whole: true });
  const broken = await startSaying(({ socket }) =>
    socket.write(`${OK}\r\nabc`, () => setTimeout(() => socket.resetAndDestroy(), 20)),
  );
  expect(await ask(poolTo(broken.port).take()).end()).toMatchObject({ body: 'abc', whole: false });
});

test('what is no answer fails, and its connection is closed', async () => {
  const cell = await startSaying('SSH-2.0-OpenSSH\r\n');
  const outcome = await ask(poolTo(cell.port).take()).end();
  expect(outcome.failure).toBeInstanceOf(MalformedAnswer);
  await until('it is closed', () => cell.peers[0]?.ended);
});

test('a cell that speaks before it is asked is not believed', async () => {
  const cell = await startSaying('');
  const outcome = new Outcome();
  const { connection } = countedTo(cell.port);
  await until('it is there', () => cell.peers[0]);
  cell.peers[0]?.socket.write(answerOf('poison'));
  await until('it is closed', () => connection.closed);
  ask(connection, { outcome });
  expect(outcome).toMatchObject({ body: '', whole: false });
});

test('an answer before the body is whole is told, and its connection carries nothing more', async () => {
  const cell = await startRawCell(({ socket, received }) => {
    if (received.endsWith('half')) socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
  });
  const pool = poolTo(cell.port);
  const connection = pool.take();
  const { stream, body } = bodyFrom();
  const outcome = ask(connection, { ...post(8), body });
  stream.write('half');
  expect(await outcome.end()).toMatchObject({ body: 'no', whole: true });
  expect(connection.closed).toBe(true);
  stream.end('rest');
  await until('the cell sees its end', () => cell.peers[0]?.ended);
  expect(cell.peers[0]?.received).not.toContain('rest');
});

test('an answer before the cell has taken all of a body carries nothing more either', async () => {
  const cell = await startRawCell(({ socket }) => {
    socket.pause();
    socket.write(answerOf('enough'));
  });
  const connection = poolTo(cell.port).take();
  const { stream, body } = bodyFrom();
  const outcome = new Outcome();
  let open = false;
  outcome.onTold = (what) => {
    // All of it is here by then, but not there.
    if (what === 'whole') open = !connection.closed;
  };
  stream.end(Buffer.alloc(32 * 1_048_576));
  ask(connection, { ...post(32 * 1_048_576), body, outcome });
  await outcome.end();
  expect(open).toBe(true);
  expect(connection.closed).toBe(true);
});

test('a body that breaks off, or is too long, fails its request', async () => {
  const cell = await startRawCell(() => undefined);
  const gone = bodyFrom();
  const left = ask(poolTo(cell.port).take(), { ...post(8), body: gone.body });
  gone.stream.write('half');
  await until('it has begun', () => cell.peers[0]?.received.endsWith('half'));
  gone.stream.destroy();
  expect((await left.end()).failure).toBeInstanceOf(ClientGone);
  await until('its connection is closed', () => cell.peers[0]?.ended);
  const long = bodyFrom(undefined, 4);
  const tooLong = ask(poolTo(cell.port).take(), { ...post(null), body: long.body });
  long.stream.write('too long');
  expect((await tooLong.end()).failure).toBeInstanceOf(BodyTooLarge);
});

test.each(['sent', 'answer', 'part'])('aborted at the word %s nothing more is told', async (at) => {
  const cell = await startSaying(`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n`);
  const connection = poolTo(cell.port).take();
  const outcome = new Outcome();
  outcome.onTold = (what) => {
    if (what === at) connection.abort();
  };
  ask(connection, { outcome });
  await until('it is closed', () => connection.closed);
  if (at !== 'sent') await until('the cell sees it', () => cell.peers[0]?.ended);
  expect(outcome.told.at(-1)).toBe(at);
  expect(outcome.told.filter((what) => what === at)).toHaveLength(1);
});

test('aborted before it is open nothing is sent, and nothing told', async () => {
  const cell = await startRawCell(() => undefined);
  const connection = poolTo(cell.port).take();
  const outcome = ask(connection);
  connection.abort();
  await ask(poolTo(cell.port).take(), { timeoutMs: 100 }).end();
  expect(outcome.told).toEqual([]);
  expect(cell.peers.map(({ received }) => received).filter((received) => received !== '')).toHaveLength(1);
});

test('a body gets no further than the request that was aborted', async () => {
  const cell = await startRawCell(() => undefined);
  const connection = poolTo(cell.port).take();
  const { stream, body } = bodyFrom();
  ask(connection, { ...post(null), body });
  stream.write('one');
  await until('the first is there', () => cell.peers[0]?.received.includes('one'));
  connection.abort();
  // More of it than can be kept: once it was read it could not be sent again.
  stream.write('two'.repeat(100_000));
  await until('the cell sees the end', () => cell.peers[0]?.ended);
  expect(cell.peers[0]?.received).not.toContain('two');
  expect([stream.isPaused(), body.replayable]).toEqual([true, true]);
});

test('paused it reads no more than the kernel holds, and goes on where it was', async () => {
  const size = 64 * 1_048_576;
  const cell = await startSaying(({ socket }) => {
    socket.write(`${OK}Content-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, 'x'));
  });
  const pool = poolTo(cell.port);
  const connection = pool.take();
  const outcome = new Outcome();
  let pauses = true;
  outcome.onTold = (what) => {
    if (what === 'part' && pauses) connection.pause();
  };
  ask(connection, { outcome });
  const peer = await until('it has begun', () => (outcome.body === '' ? undefined : cell.peers[0]));
  await until('the kernel is full', async () => {
    const before = peer.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return peer.socket.writableLength === before;
  });
  expect(outcome.body.length).toBeLessThanOrEqual(2 * 65_536);
  expect(peer.socket.writableLength).toBeGreaterThan(0);
  pauses = false;
  connection.resume();
  await outcome.end();
  expect(outcome.body.length).toBe(size);
});

test('a connection that was paused as its answer ended carries the next one', async () => {
  const cell = await startSaying(
    `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n`,
    answerOf('two'),
  );
  const pool = poolTo(cell.port);
  const connection = pool.take();
  const outcome = new Outcome();
  outcome.onTold = (what) => {
    if (what === 'part') connection.pause();
  };
  await ask(connection, { outcome }).end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(pool.take()).toBe(connection);
  expect(await ask(connection).end()).toMatchObject({ body: 'two', whole: true });
});

test('an upgrade hands over the socket, with what has come already, and tells nothing more', async () => {
  const cell = await startSaying(`${SWITCHING}early`);
  const pool = poolTo(cell.port);
  const connection = pool.takeFresh(true);
  const outcome = await ask(connection, { upgrade: true, timeoutMs: 300 }).end();
  const { socket, rest } = outcome.switched ?? expect.fail('not switched');
  expect([rest, outcome.head]).toEqual(['early', null]);
  const heard: string[] = [];
  socket.on('data', (bytes: Buffer) => heard.push(bytes.toString('latin1')));
  cell.peers[0]?.socket.write('HTTP/1.1 200 OK\r\n\r\n');
  await until('it is heard as it is', () => heard.join('') === 'HTTP/1.1 200 OK\r\n\r\n');
  const sinceMs = performance.now();
  await until('the time for an answer is over', () => performance.now() - sinceMs > 400);
  expect([socket.destroyed, outcome.told]).toEqual([false, ['sent', 'switched']]);
  for (const event of ['data', 'drain', 'end', 'error']) {
    const ours = event === 'data' ? 1 : 0;
    expect([
      event,
      socket.listeners(event).filter((listener) => listener.name !== 'onReadableStreamEnd'),
    ]).toEqual([event, expect.objectContaining({ length: ours })]);
  }
  let emptied = false;
  pool.retire(() => (emptied = true));
  expect(emptied).toBe(false);
  socket.destroy();
  await until('the pool is empty', () => emptied);
});

test('an upgrade that is not granted is answered like any request', async () => {
  const cell = await startSaying('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  const connection = poolTo(cell.port).takeFresh(true);
  expect(await ask(connection, { upgrade: true }).end()).toMatchObject({ body: 'no', whole: true });
  expect(connection.closed).toBe(true);
});

test('a 101 that nobody asked for fails', async () => {
  const cell = await startSaying(SWITCHING);
  const outcome = await ask(poolTo(cell.port).take()).end();
  expect([outcome.switched, outcome.failure]).toEqual([null, expect.any(MalformedAnswer)]);
  await until('it is closed', () => cell.peers[0]?.ended);
});

test.each([
  ['longer', ['12345', '6']],
  ['longer in one piece', ['123456']],
  ['shorter', ['1234']],
])('a body that is %s than its length never passes for another request', async (_, parts) => {
  const cell = await startRawCell(() => undefined);
  const { stream, body } = bodyFrom();
  const outcome = ask(poolTo(cell.port).take(), { ...post(5), body });
  for (const part of parts) stream.write(part);
  stream.end();
  await outcome.end();
  expect(outcome.failure).toBeInstanceOf(BodyMismatch);
  await until('the connection is left', () => cell.peers.every(({ ended }) => ended));
});

test('a length without a body is not sent', async () => {
  const cell = await startRawCell(() => undefined);
  const outcome = ask(poolTo(cell.port).take(), post(5));
  await outcome.end();
  expect(outcome.failure).toBeInstanceOf(BodyMismatch);
  expect(cell.peers.map(({ received }) => received).join('')).toBe('');
});
