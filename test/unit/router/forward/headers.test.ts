// The header lists of both directions, field by field.
import { expect, test } from 'vitest';
import { answerFields, requestFields } from '../../../../router/forward/headers.ts';
import { readAnswerHead } from '../../../../router/forward/wire/answer-head.ts';
import type { RequestHead } from '../../../../router/request-head.ts';
import { asLatin1, headOf } from '../heads.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const OURS = [
  ['x-tenant-id', 'acme'],
  ['x-cell-id', 'cell-b'],
  ['x-cell-home', 'cell-a'],
  ['x-cell-role', 'guest'],
  ['x-cell-epoch', '7'],
  ['x-cell-deadline', '1700000000000'],
  ['x-request-id', 'id-1'],
  ['traceparent', expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)],
  ['x-forwarded-for', '192.0.2.7'],
  ['x-forwarded-proto', 'http'],
  ['x-forwarded-host', 'router.test:8080'],
];

function pairs(flat: readonly string[]): string[][] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : []));
}

/** `Name: value` → both. */
function pairOf(line: string): string[] {
  const colon = line.indexOf(': ');
  return [line.slice(0, colon), line.slice(colon + 2)];
}

function sentFor(head: RequestHead, tenant: string | null = 'acme', slot: number | null = null): string[][] {
  const choice = { cell: 'cell-b', role: 'guest', home: 'cell-a', epoch: 7, slot, reason: '' } as const;
  const passage = { head, tenant, choice, requestId: 'id-1', deadline: 1_700_000_000_000 };
  return requestFields(passage).split('\r\n').slice(0, -1).map(pairOf);
}

/** What the cell gets of the client's own headers. */
function passed(headers: [string, string][], more: Partial<RequestHead> = {}): string[][] {
  const sent = sentFor(headOf({ headers, ...more }));
  return sent.slice(
    0,
    sent.findIndex(([name]) => name === 'x-tenant-id'),
  );
}

function valueOf(sent: string[][], name: string): string[] {
  return sent.filter(([field]) => field?.toLowerCase() === name).map(([, value]) => value ?? '');
}

function answered(headers: [string, string][]): string[][] {
  const head = ['HTTP/1.1 200 OK', ...headers.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
  return pairs(answerFields(readAnswerHead(Buffer.from(head, 'latin1'), 0, head.length), 'cell-b', 'id-1'));
}

test('a bare request gets the router’s own headers and no others', () => {
  expect(sentFor(headOf())).toEqual(OURS);
});

test('in an operation the tenant’s slot is told, and only then', () => {
  const names = sentFor(headOf(), 'acme', 1_234).map(([name]) => name);
  expect(names.slice(names.indexOf('x-cell-epoch')).slice(0, 3)).toEqual([
    'x-cell-epoch',
    'x-cell-deadline',
    'x-cell-slot',
  ]);
  expect(valueOf(sentFor(headOf(), 'acme', 0), 'x-cell-slot')).toEqual(['0']);
});

test('what the client sends comes first, in its order and case, duplicates included', () => {
  const headers: [string, string][] = [
    ['Accept', 'a'],
    ['X-Custom', '1'],
    ['accept', 'b'],
    ['x-custom', '1'],
    ['Cookie', 'a=1'],
    ['Empty', ''],
  ];
  expect(sentFor(headOf({ headers }))).toEqual([...headers, ...OURS]);
});

test('bytes beyond ASCII pass as they came', () => {
  const headers: [string, string][] = [['x-name', '\xff\xc3\xbc']];
  expect(passed(headers)).toEqual(headers);
});

test('a tenant beyond ASCII is written as its UTF-8 bytes', () => {
  const [value = ''] = valueOf(sentFor(headOf(), 'テナント'), 'x-tenant-id');
  expect(Buffer.from(value, 'latin1').toString('utf8')).toBe('テナント');
  expect(value).toBe(asLatin1('テナント'));
});

test('a route without a tenant sends none, the client’s own neither', () => {
  expect(valueOf(sentFor(headOf({ headers: [['x-tenant-id', 'acme']] }), null), 'x-tenant-id')).toEqual([]);
});

test.each([
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'Proxy-Authorization',
  'Proxy-Authenticate',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
  'HTTP2-Settings',
  'Expect',
])('%s ends here in a request', (name) => {
  expect(passed([[name, 'x']])).toEqual([]);
});

test('what Connection names ends here, in any of its lines, case and spacing', () => {
  const headers: [string, string][] = [
    ['Connection', 'close, X-One'],
    ['x-one', '1'],
    ['connection', ' x-TWO ,,'],
    ['X-Two', '2'],
    ['x-three', '3'],
  ];
  expect(passed(headers)).toEqual([['x-three', '3']]);
});

test('Connection can take away nothing that the router adds', () => {
  const names = OURS.map(([name]) => name).join(', ');
  expect(sentFor(headOf({ headers: [['Connection', names]] }))).toEqual(OURS);
});

test('Connection can not take the length of the body away', () => {
  expect(
    passed([
      ['Connection', 'content-length, host'],
      ['Content-Length', '5'],
    ]),
  ).toEqual([['Content-Length', '5']]);
});

test.each([
  'x-cell-id',
  'X-Cell-Role',
  'x-cell-epoch',
  'x-cell-anything',
  'x_cell_id',
  'X_Cell_Home',
  'x-cell_role',
  'x-tenant-id',
  'X_Tenant_Id',
  'x_tenant-id',
  'x-request-id',
  'X_Request_Id',
  'x_forwarded_for',
  'x-forwarded_proto',
  'X_Forwarded_Port',
  'traceparent',
  'Host',
])('a client’s own %s never reaches a cell', (name) => {
  expect(passed([[name, 'x']])).toEqual([]);
  expect(passed([[name, 'x']], { fromTrustedProxy: true })).toEqual([]);
});

test('names that only resemble the router’s own pass', () => {
  const headers: [string, string][] = [
    ['x-cells', '1'],
    ['x-tenant', '1'],
    ['x_custom', '1'],
    ['my-x-cell-id', '1'],
  ];
  expect(passed(headers)).toEqual(headers);
});

test.each([
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Forwarded-Host',
  'X-Forwarded-Port',
  'X-Forwarded-Prefix',
])('%s is not believed of just anybody', (name) => {
  const sent = sentFor(headOf({ headers: [[name, 'lie']] }));
  expect(sent).toEqual(OURS);
});

test('a trusted proxy’s word is passed on, with the proxy added to it', () => {
  const headers: [string, string][] = [
    ['Forwarded', 'for=203.0.113.1'],
    ['X-Forwarded-For', '203.0.113.1'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'acme.example.com'],
    ['X-Forwarded-Port', '443'],
  ];
  const sent = sentFor(headOf({ headers, fromTrustedProxy: true }));
  expect(sent.slice(0, 2)).toEqual([
    ['Forwarded', 'for=203.0.113.1'],
    ['X-Forwarded-Port', '443'],
  ]);
  expect(sent.slice(-3)).toEqual([
    ['x-forwarded-for', '203.0.113.1, 192.0.2.7'],
    ['x-forwarded-proto', 'https'],
    ['x-forwarded-host', 'acme.example.com'],
  ]);
});

test('a trusted proxy’s own line below the client’s is kept', () => {
  const headers: [string, string][] = [
    ['X-Forwarded-For', '198.51.100.1'],
    ['X-Forwarded-For', '203.0.113.1'],
  ];
  const sent = sentFor(headOf({ headers, fromTrustedProxy: true }));
  expect(valueOf(sent, 'x-forwarded-for')).toEqual(['198.51.100.1, 203.0.113.1, 192.0.2.7']);
});

test('a request without a host claims none', () => {
  const sent = sentFor(headOf({ host: '' }));
  expect([valueOf(sent, 'host'), valueOf(sent, 'x-forwarded-host')]).toEqual([[], []]);
});

test('a valid trace goes on with a new parent, and its state', () => {
  const sent = sentFor(
    headOf({
      headers: [
        ['traceparent', `00-${TRACE}-00f067aa0ba902b7-00`],
        ['tracestate', 'a=1'],
        ['tracestate', 'b=2'],
      ],
    }),
  );
  const [trace = ''] = valueOf(sent, 'traceparent');
  expect(trace).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  expect(trace).not.toContain('00f067aa0ba902b7');
  expect(valueOf(sent, 'tracestate')).toEqual(['a=1', 'b=2']);
});

test('the state of an invalid trace is dropped with it', () => {
  for (const headers of [
    [['tracestate', 'a=1']],
    [
      ['traceparent', 'x'],
      ['tracestate', 'a=1'],
    ],
  ]) {
    const sent = sentFor(headOf({ headers: headers as [string, string][] }));
    expect(valueOf(sent, 'tracestate')).toEqual([]);
  }
});

test('an answer keeps the cell’s fields in order and case, Set-Cookie twice included', () => {
  const headers: [string, string][] = [
    ['Set-Cookie', 'a=1'],
    ['Content-Type', 'text/plain'],
    ['set-cookie', 'b=2'],
    ['X-Name', '\xff'],
  ];
  expect(answered(headers)).toEqual([...headers, ['x-cell-id', 'cell-b'], ['x-request-id', 'id-1']]);
});

test.each(['Connection', 'Keep-Alive', 'Proxy-Connection', 'Proxy-Authenticate', 'Trailer', 'Upgrade'])(
  '%s ends here in an answer',
  (name) => {
    expect(answered([[name, 'x']])).toEqual(answered([]));
  },
);

test('Transfer-Encoding ends here in an answer', () => {
  expect(answered([['Transfer-Encoding', 'chunked']])).toEqual(answered([]));
});

test('what the cell’s Connection names ends here', () => {
  expect(
    answered([
      ['Connection', 'X-Hop'],
      ['x-hop', '1'],
    ]),
  ).toEqual(answered([]));
});

test('a cell can not say that it is another one', () => {
  expect(
    answered([
      ['X-Cell-Id', 'cell-z'],
      ['X-Request-Id', 'other'],
    ]),
  ).toEqual([
    ['x-cell-id', 'cell-b'],
    ['x-request-id', 'id-1'],
  ]);
});

test.each(['Content_Length', 'transfer_encoding', 'keep_alive', 'Proxy_Authorization', 'Connection_'])(
  'a client’s %s is not taken for the name with a dash',
  (name) => expect(passed([[name, '1']])).toEqual(name.endsWith('_') ? [[name, '1']] : []),
);
