// The refusals as they go on the wire, and their table in the documentation.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { REFUSALS, refusalAnswer, type RefusalCode } from '../../../router/errors.ts';

const CODES = Object.keys(REFUSALS) as RefusalCode[];

function fieldsOf(headers: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) fields[headers[i] ?? ''] = headers[i + 1] ?? '';
  return fields;
}

test.each(CODES)('%s is problem+json with its code and status', (code) => {
  const { status, headers, body } = refusalAnswer(code, 'Why.', 'id-1');
  expect(JSON.parse(body)).toEqual({
    type: `urn:cellgate:error:${code}`,
    title: REFUSALS[code].title,
    status,
    code,
    detail: 'Why.',
    requestId: 'id-1',
  });
  expect(status).toBe(REFUSALS[code].status);
  expect(fieldsOf(headers)).toMatchObject({
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-request-id': 'id-1',
  });
});

test('without a detail there is none', () => {
  expect(JSON.parse(refusalAnswer('tenant-missing', null, 'id').body)).not.toHaveProperty('detail');
});

test('the content length counts bytes', () => {
  const { headers, body } = refusalAnswer('tenant-invalid', 'Allowed: 1–128 bytes “…”', 'id');
  expect(fieldsOf(headers)['content-length']).toBe(String(Buffer.byteLength(body)));
  expect(Buffer.byteLength(body)).toBeGreaterThan(body.length);
});

test.each(CODES)('%s names its fault in Proxy-Status', (code) => {
  // RFC 9209, section 2.3: the registered error types that the table uses.
  const types = [
    'http_request_denied',
    'http_request_error',
    'connection_terminated',
    'connection_limit_reached',
    'destination_unavailable',
    'http_protocol_error',
    'http_response_timeout',
    'proxy_internal_error',
    'proxy_internal_response',
  ];
  const status = fieldsOf(refusalAnswer(code, null, 'id').headers)['proxy-status'];
  expect(types.map((type) => `cellgate; error=${type}`)).toContain(status);
});

test('Retry-After is there only where waiting helps', () => {
  const told = CODES.filter((code) => 'retry-after' in fieldsOf(refusalAnswer(code, null, 'id').headers));
  expect(told.sort()).toEqual([
    'cell-connection-failed',
    'cell-overloaded',
    'cell-unavailable',
    'keys-unavailable',
    'placement-moving',
    'router-not-ready',
    'tenant-quarantined',
    'tenant-rate-limited',
  ]);
});

test('an answer may say how long to wait, instead of the table', () => {
  const { headers } = refusalAnswer('tenant-rate-limited', null, 'id', { retryAfterS: 7 });
  expect(fieldsOf(headers)['retry-after']).toBe('7');
});

test('a 405 says what is allowed', () => {
  const { headers } = refusalAnswer('method-not-allowed', null, 'id', { allow: 'GET, HEAD' });
  expect(fieldsOf(headers)['allow']).toBe('GET, HEAD');
});

test('a 401 says how to authenticate', () => {
  const { headers } = refusalAnswer('tenant-unverified', null, 'id');
  expect(fieldsOf(headers)['www-authenticate']).toBe('Bearer error="invalid_token"');
});

test('no refusal has a line break in a header', () => {
  for (const code of CODES) expect(refusalAnswer(code, 'a\nb', 'id').headers.join('')).not.toMatch(/[\r\n]/);
});

test('the documentation has every refusal as it is, and no other', async () => {
  const rows = (await readFile('docs/refusals.md', 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const documented = rows.map((row) =>
    row
      .split('|')
      .slice(1, 5)
      .map((part) => part.trim()),
  );
  expect(documented).toEqual(
    CODES.map((code) => {
      const { status, title, retryAfterS }: { status: number; title: string; retryAfterS?: number } =
        REFUSALS[code];
      return [`\`${code}\``, String(status), title, String(retryAfterS ?? '–')];
    }),
  );
  for (const row of rows) expect(row.split('|')[5]?.trim()).toBeTruthy();
});
