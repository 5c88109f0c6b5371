// Identifiers of a request: taken over where they are sane, made anew where they are not.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestIdFrom, traceparentFrom } from '../../../../router/telemetry/trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const RANDOM = /^[0-9a-f]{32}$/;
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

test.each(['a', 'req-1', 'A.b_c:d/e+f=@-', 'x'.repeat(128)])('the request ID %s is taken over', (id) => {
  expect(requestIdFrom(id)).toBe(id);
});

test.each([
  null,
  '',
  'x'.repeat(129),
  'a b',
  'a\nb',
  'a"b',
  'a\\b',
  '<script>',
  'ü',
  'a,b',
  'a;b',
  '\0',
  'req-1\n',
])('a request ID of %j is replaced by a random one', (id) => {
  expect(requestIdFrom(id)).toMatch(RANDOM);
  expect(requestIdFrom(id)).not.toBe(requestIdFrom(id));
});

test.each(['00', '01'])('a trace of version %s goes on with a new parent', (version) => {
  for (const flags of ['00', '01']) {
    const { value, continues } = traceparentFrom(`${version}-${TRACE}-${PARENT}-${flags}`);
    expect(value).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${flags}$`));
    expect(value).not.toContain(PARENT);
    expect(continues).toBe(true);
  }
});

test('a later version may have more fields', () => {
  expect(traceparentFrom(`cc-${TRACE}-${PARENT}-01-what-else`)).toMatchObject({ continues: true });
});

test.each([
  null,
  '',
  'x',
  `00-${TRACE}-${PARENT}`,
  `00-${TRACE}-${PARENT}-01-more`,
  `00-${TRACE}-${PARENT}-01-`,
  `ff-${TRACE}-${PARENT}-01`,
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${PARENT}-01`,
  `00-${TRACE}x-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-1`,
  `00-${TRACE}-${PARENT}-zz`,
  `01-${TRACE}-${PARENT}-01more`,
  ` 00-${TRACE}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
])('a traceparent of %j starts a new trace', (offered) => {
  const { value, continues } = traceparentFrom(offered);
  expect(continues).toBe(false);
  expect(value).toMatch(TRACEPARENT);
  expect(value).not.toContain(TRACE);
});

test('whatever is offered, what goes on is valid', () => {
  fc.assert(
    fc.property(fc.string(), (offered) => {
      expect(traceparentFrom(offered).value).toMatch(TRACEPARENT);
      expect(requestIdFrom(offered)).toMatch(/^[A-Za-z0-9._:/+=@-]{1,128}$/);
    }),
  );
});
