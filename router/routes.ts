// Paths that are treated unlike all others: those without a tenant, and those with a time-out of their own.
import type { Route } from './fleet/fleet.ts';
import { decodeHeaderValue } from './tenant-id.ts';

/** Methods that a route hashed by the client's address takes: reading asks for no tenant's data. */
export const HASHED_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** The longest route whose path is `path` or a whole-segment prefix of it; null: an ordinary path. */
export function routeOf(path: string, routes: readonly Route[]): Route | null {
  for (const route of routes) {
    if (route.path === '/' || path === route.path) return route;
    if (path.startsWith(route.path) && path[route.path.length] === '/') return route;
  }
  return null;
}

/**
 * Whether a path means `/.cellgate` or something below it, decoded (again and again, as a careless cell might) and
 * with dot segments resolved (RFC 3986, section 5.2.4). That part of a cell belongs to the router.
 */
export function isCellgatePath(path: string): boolean {
  // Nothing that decodes or resolves to it can lack both of these; most paths end here.
  if (!path.includes('%') && !path.includes('.')) return false;
  const decoded = decodedFully(path);
  return decoded === null || passesThrough('.cellgate', decoded);
}

/** More layers than this have no honest use, and each costs a pass over the path. */
const LAYERS_MOST = 8;

/** Null: it goes on and on, and what it would be in the end nobody needs to know. */
function decodedFully(path: string): string | null {
  let before = '';
  let after = path;
  for (let layer = 0; before !== after; layer += 1) {
    if (layer > LAYERS_MOST) return null;
    before = after;
    after = decodedOnce(before);
  }
  return after.replaceAll('\\', '/').toLowerCase();
}

/** Besides `%2e`: IIS's `%u002e`, and the two bytes in which lax decoders read a character of one (`%c0%ae`). */
function decodedOnce(path: string): string {
  return plainForm(
    path
      .replace(/%u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  );
}

/** Full-width letters and the like as the plain ones they pass for, whether they came as one character or as UTF-8. */
function plainForm(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text;
  const single = text.replace(/([\xc0\xc1])([\x80-\xbf])/g, (_, first: string, second: string) =>
    String.fromCharCode(((first.charCodeAt(0) & 1) << 6) | (second.charCodeAt(0) & 0x3f)),
  );
  const decoded = /^[\0-\xff]*$/.test(single) ? decodeHeaderValue(single) : null;
  return (decoded ?? single).normalize('NFKC');
}

/**
 * Whether resolving `path` comes to the top-level segment `top` at any step, even if it leaves it again: a cell may
 * resolve less than this does (`/.cellgate/..;/x`, `/.cellgate//..`).
 */
function passesThrough(top: string, path: string): boolean {
  let depth = 0;
  for (const segment of path.split('/')) {
    // `;` starts parameters that some frameworks cut off: `/.cellgate;x`, `/a/..;/.cellgate`.
    const name = segment.replace(/[;?#].*$/s, '').replace(/[\0-\x20]/g, '');
    if (name === '..') depth = Math.max(0, depth - 1);
    else if (name !== '' && name !== '.') {
      if (depth === 0 && name === top) return true;
      depth += 1;
    }
  }
  return false;
}
