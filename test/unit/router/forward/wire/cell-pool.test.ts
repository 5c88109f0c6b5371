// Which connection the next request to a cell gets, and what becomes of those that carry nothing.
import { createHook } from 'node:async_hooks';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { isIP, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { MalformedAnswer } from '../../../../../router/forward/wire/answer-head.ts';
import type { CellConnection } from '../../../../../router/forward/wire/cell-connection.ts';
import { CellPool } from '../../../../../router/forward/wire/cell-pool.ts';
import { LIMITS } from '../../../../../router/limits.ts';
import { Names } from '../../../../../router/names.ts';
import { CellTls } from '../../../../../router/tls/cell-tls.ts';
import { Expiries } from '../../../../../router/tls/expiries.ts';
import { makeCertificates } from '../../../../support/certificates.ts';
import { plainNetwork } from '../../../../support/network.ts';
import { until } from '../../../../support/wait.ts';
import { mangled } from './answers.ts';
import { answerOf, ask, bodyFrom, OK, Outcome, poolTo, post, startRawCell, startSaying } from './cells.ts';

/** What has come in this turn of the event loop is over. */
async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Sends one request, and waits for its end and until its connection may be used again. */
async function askOnce(pool: CellPool): Promise<{ connection: CellConnection; outcome: Outcome }> {
  const connection = pool.take();
  const outcome = await ask(connection).end();
  await nextTurn();
  await nextTurn();
  return { connection, outcome };
}

test('a free connection carries the next request', async () => {
  const cell = await startSaying(answerOf('hello'));
  const pool = poolTo(cell.port);
  const { connection } = await askOnce(pool);
  const next = await askOnce(pool);
  expect([next.connection === connection, next.outcome.body, cell.peers.length]).toEqual([true, 'hello', 1]);
});

test('of several that are free the one that was used last comes first', async () => {
  const cell = await startSaying(answerOf(''));
  const pool = poolTo(cell.port);
  const [first, second, third] = [pool.take(), pool.take(), pool.take()];
  for (const connection of [second, third, first]) {
    await ask(connection).end();
    await nextTurn();
  }
  await nextTurn();
  expect([pool.take() === first, pool.take() === third, pool.take() === second]).toEqual([true, true, true]);
});

test.each([
  ['closes', answerOf('x', 'Connection: close')],
  ['closes in passing', answerOf('x', 'Connection: x-own, Close')],
  ['speaks HTTP/1.0', answerOf('x').replace('1.1', '1.0')],
  ['is about to close it', answerOf('x', `Keep-Alive: timeout=${LIMITS.cellIdleMarginMs / 1_000}`)],
  ['closes it at once', answerOf('x', 'Keep-Alive: timeout=0')],
  ['tells of a body that it may not have', 'HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\n'],
  ['says more than it was asked', `${answerOf('x')}\r\n`],
  ['answers twice', answerOf('x') + answerOf('poison')],
])('a connection to a cell that %s carries no other request', async (_, says) => {
  const cell = await startSaying(says, answerOf('second'));
  const pool = poolTo(cell.port);
  const { connection, outcome } = await askOnce(pool);
  expect([outcome.whole, outcome.body.length < 2]).toEqual([true, true]);
  const next = await askOnce(pool);
  expect([next.connection === connection, next.outcome.body]).toEqual([false, 'second']);
  await until('the cell sees its end', () => cell.peers[0]?.ended);
});

test('a connection whose end was the end of an answer carries no other one', async () => {
  const cell = await startSaying(({ socket }) => socket.end(`${OK}\r\nx`), answerOf('second'));
  const pool = poolTo(cell.port);
  const [first, second] = [new Outcome(), new Outcome()];
  const connection = pool.take();
  first.onTold = (what) => {
    if (what === 'whole') setImmediate(() => setImmediate(() => ask(pool.take(), { outcome: second })));
  };
  ask(connection, { outcome: first });
  expect(await second.end()).toMatchObject({ body: 'second', whole: true });
  expect([first.body, connection.closed]).toEqual(['x', true]);
});

test('a connection is not used again in the turn in which it was answered: there may be more to come', async () => {
  const cell = await startSaying(answerOf('x'));
  const pool = poolTo(cell.port);
  const [connection, outcome] = [pool.take(), new Outcome()];
  const taken: CellConnection[] = [];
  outcome.onTold = (what) => {
    if (what === 'whole') process.nextTick(() => taken.push(pool.take()));
  };
  await ask(connection, { outcome }).end();
  await nextTurn();
  expect([taken[0] === connection, pool.take() === connection]).toEqual([false, true]);
});

test('HTTP/1.0 with keep-alive is kept', async () => {
  const cell = await startSaying(answerOf('x', 'Connection: keep-alive').replace('1.1', '1.0'));
  const pool = poolTo(cell.port);
  const { connection } = await askOnce(pool);
  expect(pool.take()).toBe(connection);
});

test('what a cell says unasked goes to nobody, and its connection is closed', async () => {
  const cell = await startSaying(answerOf('first'), answerOf('second'));
  const pool = poolTo(cell.port);
  const { connection } = await askOnce(pool);
  cell.peers[0]?.socket.write(answerOf('poison'));
  await until('it is closed', () => connection.closed);
  expect((await askOnce(pool)).outcome.body).toBe('second');
});

test('what comes in one piece with an answer is no answer to the request that is sent next', async () => {
  const cell = await startSaying(answerOf('one') + answerOf('poison'), answerOf('two'));
  const pool = poolTo(cell.port);
  const [first, second] = [new Outcome(), new Outcome()];
  first.onTold = (what) => {
    if (what === 'whole') ask(pool.take(), { outcome: second });
  };
  ask(pool.take(), { outcome: first });
  await second.end();
  expect([first.body, second.body, cell.peers.length]).toEqual(['one', 'two', 2]);
});

test('a connection that the cell has ended is not used', async () => {
  const cell = await startSaying(answerOf('one'));
  const pool = poolTo(cell.port);
  const { connection } = await askOnce(pool);
  cell.peers[0]?.socket.end();
  await until('it is closed', () => connection.closed);
  const next = await askOnce(pool);
  expect([next.connection === connection, next.outcome.body]).toEqual([false, 'one']);
});

test('one that has failed is not used', async () => {
  const cell = await startSaying('nonsense\r\n\r\n', answerOf('two'));
  const pool = poolTo(cell.port);
  const { connection, outcome } = await askOnce(pool);
  expect(outcome.failure).toBeInstanceOf(MalformedAnswer);
  expect([connection.closed, (await askOnce(pool)).outcome.body]).toEqual([true, 'two']);
});

test('a cell that tells when it closes is left before, and others after a while', async () => {
  const hint = LIMITS.cellIdleMarginMs / 1_000 + 1;
  const told = await startSaying(answerOf('', `Keep-Alive: timeout=${hint}`));
  const silent = await startSaying(answerOf(''));
  const [pool, other] = [poolTo(told.port), poolTo(silent.port)];
  const [{ connection }, { connection: longer }] = [await askOnce(pool), await askOnce(other)];
  expect([connection.closed, longer.closed]).toEqual([false, false]);
  const sinceMs = performance.now();
  await until('the first is left', () => connection.closed);
  expect(performance.now() - sinceMs).toBeGreaterThan(900);
  expect([longer.closed, told.peers[0]?.closed]).toEqual([false, false]);
  await until('the other is left', () => longer.closed);
  expect(performance.now() - sinceMs).toBeGreaterThan(LIMITS.cellIdleMs - 100);
  await until('both cells see it', () => told.peers[0]?.ended && silent.peers[0]?.ended);
});

test('a fresh connection carries a single request', async () => {
  const cell = await startSaying(answerOf('x'));
  const pool = poolTo(cell.port);
  const { connection: free } = await askOnce(pool);
  const fresh = pool.takeFresh(false);
  expect(fresh).not.toBe(free);
  await ask(fresh).end();
  await nextTurn();
  expect([fresh.closed, pool.take() === free]).toEqual([true, true]);
});

/** A pool with a connection that is free, and one whose answer has come by half: `a` of `ab`. */
async function halfBusy() {
  const cell = await startSaying(answerOf('free'), ({ socket }) =>
    socket.write(`${OK}Content-Length: 2\r\n\r\na`),
  );
  const pool = poolTo(cell.port);
  const busy = pool.take();
  const { connection: free } = await askOnce(pool);
  const outcome = ask(busy);
  await until('it has begun', () => outcome.head);
  return { cell, pool, busy, free, outcome };
}

test('after a renewal requests get connections of their own, and what is under way is finished', async () => {
  const { cell, pool, busy, free, outcome } = await halfBusy();
  pool.renew();
  expect([free.closed, busy.closed, [free, busy].includes(pool.take())]).toEqual([true, false, false]);
  for (const { socket } of cell.peers) socket.write('b');
  expect(await outcome.end()).toMatchObject({ body: 'ab', whole: true });
  expect(busy.closed).toBe(true);
});

test('a connection that was answered in the turn of a renewal is not used', async () => {
  const cell = await startSaying(answerOf('x'));
  const pool = poolTo(cell.port);
  const outcome = new Outcome();
  const connection = pool.take();
  outcome.onTold = (what) => {
    if (what === 'whole') process.nextTick(() => pool.renew());
  };
  await ask(connection, { outcome }).end();
  await nextTurn();
  expect([connection.closed, pool.take() === connection]).toEqual([true, false]);
});

test('a retired pool finishes what it carries, and tells when that is done', async () => {
  const { cell, pool, free, outcome } = await halfBusy();
  let done = 0;
  pool.retire(() => (done += 1));
  await until('the free one is closed', () => free.closed);
  await nextTurn();
  expect(done).toBe(0);
  for (const { socket } of cell.peers) socket.write('b');
  expect(await outcome.end()).toMatchObject({ body: 'ab', whole: true });
  await until('it is told', () => done);
  await until('the cell sees it', () => cell.peers.every(({ ended }) => ended));
  expect(done).toBe(1);
});

test('a pool that carries nothing is retired at once', async () => {
  const pool = poolTo(1);
  let done = false;
  pool.retire(() => (done = true));
  expect(done).toBe(true);
});

test('a pool that is destroyed fails what is under way, whether it is open yet or not', async () => {
  const cell = await startRawCell(() => undefined);
  const pool = poolTo(cell.port);
  const [sent, unsent] = [ask(pool.take()), new Outcome()];
  await until('the first is there', () => cell.peers[0]?.received);
  ask(pool.take(), { outcome: unsent });
  pool.destroy();
  expect([(await sent.end()).failure, (await unsent.end()).failure]).not.toContain(null);
  expect(unsent.told).toEqual(['failed']);
});

test('nothing is left of a pool that is gone: no socket, and no timer', async () => {
  const timers = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'Timeout' && timers.add(id)),
    destroy: (id) => void timers.delete(id),
  });
  const cell = await startSaying(answerOf('x'), answerOf('x', 'Connection: close'), '', 'nonsense\r\n\r\n');
  hook.enable();
  onTestFinished(() => void hook.disable());
  const pool = poolTo(cell.port, 600_000);
  const outcomes: Outcome[] = [];
  for (let i = 0; i < 4; i += 1) outcomes.push(ask(pool.take(), { timeoutMs: 600_000 + i }));
  const { body } = bodyFrom();
  outcomes.push(ask(pool.take(), { ...post(null), body }));
  pool.take().abort();
  await until('some are answered', () => outcomes.filter(({ over }) => over).length >= 3);
  pool.destroy();
  await until('all are over', () => outcomes.every(({ over }) => over));
  await until('the cell has seen the end of each', () => cell.peers.every(({ ended }) => ended));
  // The waits of this test are made and gone.
  await until('no timer is left', () => timers.size <= 1);
});

test('many requests at once each get their own answer, over and over', async () => {
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const half = Math.floor(body.length / 2);
      if (body.length % 3 === 0) response.setHeader('content-length', body.length);
      response.write(body.subarray(0, half));
      setImmediate(() => response.end(body.subarray(half)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void (server.closeAllConnections(), server.close()));
  const pool = poolTo((server.address() as AddressInfo).port);
  let wrong = 0;
  const client = async (id: number): Promise<void> => {
    for (let i = 0; i < 25; i += 1) {
      const sent = `${id}/${i}:`.padEnd(1 + ((id * 7_919 + i * 104_729) % 150_000), `${id % 10}`);
      const { stream, body } = bodyFrom();
      const outcome = ask(pool.take(), { ...post(sent.length), body });
      stream.end(sent);
      await outcome.end();
      if (outcome.body !== sent) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: 20 }, (_, id) => client(id)));
  expect(wrong).toBe(0);
});

/** Answers with places for the number of the request, among them some that tell of less than comes. */
const TEMPLATES = [
  answerOf('######', 'X-Number: ######'),
  `${OK}Transfer-Encoding: chunked\r\nX-Number: ######\r\n\r\n6;a=b\r\n######\r\n6\r\n######\r\n0\r\nA: ######\r\n\r\n`,
  `${answerOf('######')}${answerOf('######')}`,
  `${OK}Content-Length: 3\r\n\r\n${answerOf('######', 'X-Number: ######')}`,
  `HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n######`,
  `HTTP/1.1 304 Not Modified\r\nX-Number: ######\r\n\r\n`,
  `HTTP/1.1 103 Early Hints\r\nX-Number: ######\r\n\r\n${answerOf('######')}`,
  `${OK}X-Number: ######\r\n\r\n######`,
];

/** Six characters that no mangling makes. */
function markOf(number: string): string {
  return `<${Number(number).toString(36).padStart(4, '0')}>`;
}

test('however a cell answers, no request is answered with what another one was', async () => {
  let says: string[] = [];
  const cell = await startRawCell(({ socket }, piece) => {
    const number = /x-number: (\d{6})/.exec(piece)?.[1] ?? '';
    const text = says[Number(number) % says.length] ?? '';
    socket.write(text.replaceAll('######', markOf(number)), 'latin1');
  });
  const pool = poolTo(cell.port);
  let number = 100_000;
  let answered = 0;
  const client = async (): Promise<void> => {
    for (let i = 0; i < 6; i += 1) {
      number += 1;
      const own = String(number);
      const head = `GET / HTTP/1.1\r\nhost: cell.test\r\nx-number: ${own}\r\n\r\n`;
      const connection = pool.take();
      const outcome = ask(connection, { head });
      // Some never come to their end.
      const sinceMs = performance.now();
      await until('it has had its time', () => outcome.over || performance.now() - sinceMs > 25);
      if (!outcome.over) connection.abort();
      const heard = `${outcome.head?.fields.join()} ${outcome.body}`;
      for (const [other] of heard.matchAll(/<.{4}>/g)) expect(other).toBe(markOf(own));
      if (outcome.whole) answered += 1;
      await nextTurn();
    }
  };
  const texts = fc.array(
    fc.constantFrom(...TEMPLATES).chain((text) => fc.oneof(fc.constant(text), mangled(text))),
    { minLength: 7, maxLength: 7 },
  );
  await fc.assert(
    fc.asyncProperty(texts, async (texts) => {
      says = texts;
      await Promise.all(Array.from({ length: 4 }, client));
    }),
    { numRuns: 25, endOnFailure: true },
  );
  expect(answered).toBeGreaterThan(100);
});

test('over TLS it is the same, and a caller that does not keep up is waited for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-pool-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { authority, certificate, key } = makeCertificates(folder);
  const size = 16 * 1_048_576;
  let connections = 0;
  let cellSocket: Socket | null = null;
  const options = { cert: readFileSync(certificate), key: readFileSync(key) };
  const server = createHttpsServer(options, (request, response) => {
    cellSocket = request.socket;
    request.resume().on('end', () => response.end(Buffer.alloc(size, 'x')));
  });
  server.on('secureConnection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void (server.closeAllConnections(), server.close()));
  const names = new Names(30_000);
  const tls = new CellTls({ CELL_TLS_CA_FILE: authority }, new Expiries(), pino({ level: 'silent' }));
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = new CellPool(origin, { names, tls }, 10_000);
  onTestFinished(() => pool.destroy());
  for (let i = 0; i < 2; i += 1) {
    const connection = pool.take();
    const outcome = new Outcome();
    let pauses = true;
    outcome.onTold = (what) => {
      if (what === 'part' && pauses) connection.pause();
    };
    ask(connection, { outcome });
    await until('it has begun', () => outcome.body !== '');
    await nextTurn();
    expect(outcome.body.length).toBeLessThanOrEqual(4 * 65_536);
    expect((cellSocket as Socket | null)?.writableLength).toBeGreaterThan(0);
    pauses = false;
    connection.resume();
    await outcome.end();
    expect([outcome.body.length, outcome.failure]).toEqual([size, null]);
    await nextTurn();
    await nextTurn();
  }
  expect(connections).toBe(1);
});

test('of several addresses the first that answers serves', async () => {
  const cell = await startSaying(answerOf('hello'));
  const network = plainNetwork();
  const addresses = ['127.0.0.2', '::1', '127.0.0.1'].map((address) => ({ address, family: isIP(address) }));
  const lookup: LookupFunction = (_, __, callback) => process.nextTick(callback, null, addresses);
  Object.assign(network.names, { lookup });
  const pool = new CellPool(`http://cell.test:${cell.port}`, network, 10_000);
  onTestFinished(() => pool.destroy());
  const { connection } = await askOnce(pool);
  expect([(await askOnce(pool)).outcome.body, pool.take() === connection]).toEqual(['hello', true]);
});

test.skipIf(!existsSync('/proc/net/tcp'))(
  'a peer that is gone without a word is asked for after 30 s',
  async () => {
    const cell = await startSaying(`${OK}\r\nendless`);
    const outcome = ask(poolTo(cell.port).take());
    await until('it has begun', () => outcome.body);
    const port = cell.port.toString(16).toUpperCase().padStart(4, '0');
    const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
    // The columns: local and remote address, state, queues, and a timer (2: keep-alive) with its rest in 1/100 s.
    const line = lines.find((line) => line.trim().split(/\s+/)[2]?.endsWith(`:${port}`) === true) ?? '';
    const [kind, when = ''] = line.trim().split(/\s+/)[5]?.split(':') ?? [];
    expect(kind).toBe('02');
    expect(Number.parseInt(when, 16)).toBeLessThanOrEqual(LIMITS.tunnelKeepAliveMs / 10);
  },
);

test('names and trust are followed until the pool is retired', () => {
  const network = plainNetwork();
  let followed = 0;
  const follow = (): (() => void) => {
    followed += 1;
    return () => (followed -= 1);
  };
  network.names.follow = follow;
  network.tls.onChange = follow;
  const pool = new CellPool('http://cell.test:1', network, 1_000);
  expect(followed).toBe(2);
  pool.retire(() => undefined);
  expect(followed).toBe(0);
});
