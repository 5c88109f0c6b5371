// Which requests are logged, and how.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Config } from '../../../../router/config.ts';
import { AccessLog, type RequestLine } from '../../../../router/telemetry/access-log.ts';

const ORDINARY: RequestLine = {
  method: 'GET',
  route: 'tenant',
  status: 200,
  code: null,
  cell: 'cell-a',
  role: 'home',
  headMs: 5,
  durationMs: 6,
  requestId: 'id-1',
};

function logged(
  accesses: Config['ACCESS_LOG'],
  differences: Partial<RequestLine> = {},
  level = 'info',
): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const accessLog = new AccessLog(log, { ACCESS_LOG: accesses, SLOW_MS: 1_000 });
  const line = { ...ORDINARY, ...differences };
  if (accessLog.wants(line.status, line.code, line.headMs ?? line.durationMs)) accessLog.write(line);
  accessLog.flush();
  return lines;
}

test('an ordinary request is logged only when all are', () => {
  expect([logged('errors'), logged('off')]).toEqual([[], []]);
  expect(logged('all')).toEqual([expect.objectContaining({ ...ORDINARY, msg: 'request', level: 30 })]);
});

test.each<[string, Partial<RequestLine>]>([
  ['a refusal', { status: 400, code: 'tenant-missing' }],
  ['a 5xx of a cell', { status: 500 }],
  ['a slow head', { headMs: 1_000 }],
  ['a client that left after a long wait', { status: 499, headMs: null, durationMs: 1_000 }],
])('%s counts as an error', (_, differences) => {
  expect(logged('errors', differences)).toHaveLength(1);
  expect(logged('off', differences)).toEqual([]);
});

test.each<[string, Partial<RequestLine>]>([
  ['a 4xx of a cell', { status: 404 }],
  ['a stream that lasted long', { durationMs: 3_600_000 }],
  ['a client that left soon', { status: 499, headMs: null }],
])('%s is no error', (_, differences) => {
  expect(logged('errors', differences)).toEqual([]);
});

test('a 5xx of a cell is a warning; the router’s own refusal is not', () => {
  expect(logged('all', { status: 502 })[0]?.['level']).toBe(40);
  expect(logged('all', { status: 503, code: 'cell-unavailable' })[0]?.['level']).toBe(30);
});

test('what the level of the log leaves out is left out here, too', () => {
  expect([logged('all', {}, 'warn'), logged('all', { status: 500 }, 'error')]).toEqual([[], []]);
  expect(logged('all', { status: 500 }, 'warn')).toHaveLength(1);
});

/** What is written, in the pieces in which it is. */
function written(bindings: Record<string, unknown> = {}): { pieces: string[]; accessLog: AccessLog } {
  const pieces: string[] = [];
  const log = pino({ base: bindings }, { write: (text: string) => void pieces.push(text) });
  return { pieces, accessLog: new AccessLog(log, { ACCESS_LOG: 'all', SLOW_MS: 1_000 }) };
}

test('a line is what pino would have written of it, with the bindings of the log', () => {
  const { pieces, accessLog } = written({ router: 'a "quoted" one', worker: 2 });
  accessLog.write({ ...ORDINARY, route: '/re"ports', cell: null, role: null, headMs: null });
  accessLog.flush();
  const { time, ...line } = JSON.parse(pieces.join('')) as Record<string, unknown>;
  expect(line).toEqual({
    level: 30,
    router: 'a "quoted" one',
    worker: 2,
    ...ORDINARY,
    route: '/re"ports',
    cell: null,
    role: null,
    headMs: null,
    msg: 'request',
  });
  expect(Math.abs(Date.parse(String(time)) - Date.now())).toBeLessThan(3_600_000);
});

test('the lines of a turn are written together at its end, no more than a pipe takes as a whole', async () => {
  const { pieces, accessLog } = written();
  for (let i = 0; i < 100; i += 1) accessLog.write({ ...ORDINARY, requestId: `id-${i}` });
  await new Promise((resolve) => setImmediate(resolve));
  const ids = pieces
    .flatMap((piece) => piece.trimEnd().split('\n'))
    .map((line) => JSON.parse(line).requestId as string);
  expect(ids).toEqual(Array.from({ length: 100 }, (_, i) => `id-${i}`));
  expect(pieces.length).toBeLessThan(20);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(4_096);
  expect(pieces.every((piece) => piece.endsWith('\n'))).toBe(true);
});
