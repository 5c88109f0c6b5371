// What guests may do here, by the policy and by the state of the copy they are served from.
import { expect, test } from 'vitest';
import { admitGuest, admitHome, isWrite } from '../../../../cell-template/standby/admission.ts';
import type { Standing } from '../../../../cell-template/standby/standings.ts';

const synced: Standing = { state: 'synced', lagBytes: 0, lagSeconds: 0 };
const terms = { policy: 'full', maxLagS: 60 } as const;

function codeOf(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test.each([
  ['a synced copy is read and written', synced, 'full', true, null],
  ['a home without a copy here is refused', null, 'full', false, 'no-standby'],
  [
    'a copy that was never complete is refused',
    { state: 'copying', lagBytes: null, lagSeconds: null },
    'full',
    false,
    'no-standby',
  ],
  ['one that is copied once more is used on', { ...synced, state: 'copying' }, 'full', true, null],
  ['one that can not go on is used as it is', { ...synced, state: 'broken' }, 'full', true, null],
  ['a policy of none refuses reads, too', synced, 'none', false, 'guests-refused'],
  ['a policy of read-only lets reads through', synced, 'read-only', false, null],
  ['a policy of read-only refuses writes', synced, 'read-only', true, 'guests-read-only'],
  ['an old copy is read', { ...synced, lagSeconds: 61 }, 'full', false, null],
  ['an old copy is not written', { ...synced, lagSeconds: 61 }, 'full', true, 'guests-read-only'],
] as const)('%s', (_name, standing, policy, writes, code) => {
  expect(codeOf(() => admitGuest(standing, writes, { ...terms, policy }))).toBe(code);
});

test('a home that is being filled again is refused', () => {
  expect(codeOf(() => admitHome(true, null, false))).toBe('recovering');
  expect(codeOf(() => admitHome(false, null, true))).toBeNull();
});

test('a write that nobody would confirm is refused, a read is not', () => {
  expect(codeOf(() => admitHome(false, false, true))).toBe('standby-silent');
  expect(codeOf(() => admitHome(false, false, false))).toBeNull();
  expect(codeOf(() => admitHome(false, true, true))).toBeNull();
});

test('safe methods are no writes, all others are', () => {
  expect(['GET', 'HEAD', 'OPTIONS'].some(isWrite)).toBe(false);
  expect(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].every(isWrite)).toBe(true);
});
