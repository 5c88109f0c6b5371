// Which requests are logged, and how.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Config } from '../../../../router/config.ts';
import { AccessLog, createLog, type RequestLine } from '../../../../router/telemetry/log.ts';

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
): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const accessLog = new AccessLog(log, { ACCESS_LOG: accesses, SLOW_MS: 1_000 });
  const line = { ...ORDINARY, ...differences };
  if (accessLog.wants(line.status, line.code, line.headMs ?? line.durationMs)) accessLog.write(line);
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

test('the level of the log is that of the settings', () => {
  const log = createLog({ LOG_LEVEL: 'silent', ROUTER_ID: 'router-1' });
  expect(log.level).toBe('silent');
  expect(log.bindings()).toEqual({ router: 'router-1' });
});
