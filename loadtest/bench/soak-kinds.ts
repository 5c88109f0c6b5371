// The whole requests of the mixed load: how often each comes, and what its right answer is.
import { randomBytes } from 'node:crypto';
import { digestOf, LARGE_BYTES, largeBody } from '../stubs/by-path.ts';
import type { Answer } from './soak-answers.ts';

export type WholeKind = {
  name: string;
  /** Of the load's turns. */
  weight: number;
  method: 'GET' | 'POST' | 'HEAD';
  path: string;
  body: Buffer | null;
  /** Sent in chunks, its length untold. */
  chunked: boolean;
  headers: Record<string, string>;
  /** It names no tenant. */
  anonymous: boolean;
  /** The connection is the client's last. */
  closes: boolean;
  right: (answer: Answer, tenant: string) => boolean;
};

const SMALL = Buffer.from(JSON.stringify({ item: 'tea', quantity: 1, note: 'a'.repeat(900) }));
const LARGE = randomBytes(LARGE_BYTES);
/** Beyond the router's limits, and within what its parser reads. */
const LONG_TARGET = `/${'a'.repeat(9_000)}`;
const LARGE_FIELD = 'a'.repeat(20_000);

const DEFAULTS = {
  method: 'GET',
  body: null,
  chunked: false,
  headers: {},
  anonymous: false,
  closes: false,
} as const;

export const WHOLE_KINDS: readonly WholeKind[] = [
  { ...DEFAULTS, name: 'GET', weight: 360, path: '/orders', right: isServed },
  { ...DEFAULTS, name: 'GET, last', weight: 30, path: '/orders', closes: true, right: isServed },
  { ...DEFAULTS, name: 'HEAD', weight: 10, method: 'HEAD', path: '/large', right: isBare },
  taking('POST', 130, SMALL, false),
  taking('POST, chunked', 40, SMALL, true),
  taking('POST 64 KiB', 50, LARGE, false),
  taking('POST 64 KiB, chunked', 50, LARGE, true),
  { ...DEFAULTS, name: 'GET 64 KiB', weight: 70, path: '/large', right: isLarge },
  { ...DEFAULTS, name: 'GET 64 KiB, chunked', weight: 50, path: '/chunked', right: isLarge },
  { ...DEFAULTS, name: 'GET 64 KiB, dripped', weight: 20, path: '/drip', right: isLarge },
  { ...DEFAULTS, name: 'GET, slow', weight: 40, path: '/slow/400', right: isServed },
  passedOn(404),
  passedOn(500),
  passedOn(502),
  passedOn(503),
  { ...DEFAULTS, name: 'malformed answer', weight: 5, path: '/broken', right: refused('cell-bad-response') },
  { ...DEFAULTS, name: 'answer cut off', weight: 5, path: '/cut', right: isCut },
  { ...DEFAULTS, name: 'reset', weight: 5, path: '/reset', right: refused('cell-connection-failed') },
  {
    ...DEFAULTS,
    name: 'POST, reset',
    weight: 3,
    method: 'POST',
    path: '/reset',
    body: SMALL,
    right: refused('cell-connection-failed'),
  },
  { ...DEFAULTS, name: '421', weight: 5, path: '/misdirected', right: refused('cell-unavailable') },
  { ...DEFAULTS, name: 'time-out', weight: 5, path: '/hang', right: refused('cell-timeout') },
  { ...DEFAULTS, name: 'long target', weight: 3, path: LONG_TARGET, right: refused('uri-too-long') },
  {
    ...DEFAULTS,
    name: 'large head',
    weight: 3,
    path: '/orders',
    headers: { 'x-large': LARGE_FIELD },
    right: refused('headers-too-large'),
  },
  {
    ...DEFAULTS,
    name: 'no tenant',
    weight: 5,
    path: '/orders',
    anonymous: true,
    right: refused('tenant-missing'),
  },
];

function taking(name: string, weight: number, body: Buffer, chunked: boolean): WholeKind {
  const sha1 = digestOf(body);
  const right = (answer: Answer, tenant: string): boolean => {
    if (!isServed(answer, tenant)) return false;
    const told = JSON.parse(answer.body.toString()) as { bytes?: unknown; sha1?: unknown };
    return told.bytes === body.length && told.sha1 === sha1;
  };
  return { ...DEFAULTS, name, weight, method: 'POST', path: '/take', body, chunked, right };
}

/** Application errors that are the cell's own: their clients get them as they are. */
function passedOn(status: number): WholeKind {
  const right = (answer: Answer): boolean => {
    if (answer.status !== status || !answer.whole || answer.code !== null) return false;
    return (JSON.parse(answer.body.toString()) as { status?: unknown }).status === status;
  };
  return { ...DEFAULTS, name: `answer ${status}`, weight: 5, path: `/status/${status}`, right };
}

function isServed({ status, whole, cell, body }: Answer, tenant: string): boolean {
  if (status !== 200 || !whole || cell === null) return false;
  const told = JSON.parse(body.toString()) as { cell?: unknown; tenant?: unknown };
  return told.cell === cell && told.tenant === tenant;
}

function isBare({ status, whole, cell, body }: Answer): boolean {
  return status === 200 && whole && cell !== null && body.length === 0;
}

function isLarge({ status, whole, cell, body }: Answer, tenant: string): boolean {
  return status === 200 && whole && cell !== null && body.equals(largeBody({ cell, tenant }));
}

/** What has begun is cut, never ended as if it were whole; and what came of it is not another's. */
function isCut({ status, whole, cell, body }: Answer, tenant: string): boolean {
  if (status !== 200 || whole || cell === null) return false;
  return body.equals(largeBody({ cell, tenant }).subarray(0, body.length));
}

function refused(code: string): (answer: Answer) => boolean {
  return (answer) => answer.code === code && answer.whole;
}
