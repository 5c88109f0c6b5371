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
  return resolved(decodedFully(path))[0] === '.cellgate';
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

function resolved(path: string): string[] {
  const out: string[] = [];
  for (const segment of path.split('/')) {
    // `;` starts parameters that some frameworks cut off: `/.cellgate;x`, `/a/..;/.cellgate`.
    const name = segment.replace(/[;?#].*$/, '').replace(/[\0-\x20]/g, '');
    if (name === '..') out.pop();
    else if (name !== '' && name !== '.') out.push(name);
  }
  return out;
}
