// The fleet as the router uses it: cells, where their tenants come from, and the placement. Types only.
import type { Placement, PlacementInput } from '../placement/placement.ts';

export type Cell = {
  id: string;
  /** `http://host:port`. */
  origin: string;
  zone: string | null;
  capacity: { concurrency: number; rps: number; tunnels: number };
  tags: Readonly<Record<string, string>>;
};

export type JwtSource = {
  claim: string;
  issuer: string;
  audience: string;
  /** An http(s) URL, or the absolute path of a file. */
  jwks: string;
  algorithms: string[];
};

/** Where a request may say whose it is. All sources of the fleet are evaluated, and must agree. */
export type TenantSource =
  | { kind: 'header'; name: string; trusted: boolean }
  | { kind: 'subdomain'; base: string }
  | { kind: 'path'; segments: readonly string[]; tenantAt: number }
  | { kind: 'jwt'; jwt: JwtSource };

/** A path prefix that is treated unlike all others. `path` ends at a segment: `/login` is not `/loginx`. */
export type Route = {
  path: string;
  /** A cell by name, any cell by the hash of the client's address, or null: a tenant is needed. */
  tenantless: { cell: string } | { hash: 'client-address' } | null;
  timeoutMs: number | null;
};

/** How fast one tenant may send, over all routers: requests a second, and how many at once after a pause. */
export type Rate = { rps: number; burst: number };

export type Rates = {
  /** Of every tenant that has none of its own; null: no limit. */
  others: Rate | null;
  tenants: ReadonlyMap<string, Rate>;
};

export type Fleet = {
  /** The file's content in 16 hex digits: equal files, equal digests, whatever the order of their keys. */
  digest: string;
  sources: readonly TenantSource[];
  cells: ReadonlyMap<string, Cell>;
  /** What the placement is computed from, as plain data. */
  history: PlacementInput;
  placement: Placement;
  /** Longest path first. */
  routes: readonly Route[];
  rates: Rates;
  /** Tenants go to a neighbour only where its standby of their home is synced. */
  requiresStandby: boolean;
};
