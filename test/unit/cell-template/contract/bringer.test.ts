// Who may bring rules to a cell.
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { mayBringRules } from '../../../../cell-template/contract/bringer.ts';

function from(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

test('without a token only who is on this machine', () => {
  const addresses = ['127.0.0.1', '::1', '::ffff:127.0.0.9', '10.0.0.1', '::ffff:10.0.0.1', '::', '1::1'];
  expect(addresses.map((address) => mayBringRules(from(address), null))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('with one, whoever has it, wherever it comes from', () => {
  const authorizations = ['Bearer one', 'bearer one', 'Bearer two', 'Bearer one two', 'one', 'Bearer '];
  const allowed = authorizations.map((authorization) =>
    mayBringRules(from('10.0.0.1', { authorization, 'x-forwarded-for': '10.0.0.2' }), 'one'),
  );
  expect(allowed).toEqual([true, true, false, false, false, false]);
});
