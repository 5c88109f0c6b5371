// Paths that are treated unlike all others: those without a tenant, and those with a time-out of their own.
import type { Route } from './fleet/fleet.ts';

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
  return passesThrough('.cellgate', decodedFully(path));
}

function decodedFully(path: string): string {
  let before = '';
  let after = path;
  for (let round = 0; round < 8 && before !== after; round += 1) {
    before = after;
    after = before.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return after.replaceAll('\\', '/').toLowerCase();
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
