// What a stub cell is told at its start and while it runs, and what it writes down. Types and defaults only.

/** How a stub behaves; may be changed while it runs. */
export type Behaviour = {
  /** Status of its answers to tenants. 200 answers say who served whom. */
  status: number;
  /** Milliseconds before the head of an answer. */
  latencyMs: number;
  /** Above 0: with more requests of tenants inside than this, `latencyMs` grows with the fourth power of the excess. */
  knee: number;
  /** Above 0: a slow-loris answer, whose body comes byte by byte at this pace. */
  dripMs: number;
  /** Its own word about itself in `/health`. */
  health: 'ok' | 'degraded' | 'down';
  healthStatus: number;
  /** Whether `latencyMs` and `dripMs` hold for `/health` too. */
  healthToo: boolean;
  /** The version that `/health` tells. */
  version: string;
  /** A request of this tenant kills the process, as its service begins. '': nobody's does. */
  poison: string;
};

export const WELL: Behaviour = {
  status: 200,
  latencyMs: 0,
  knee: 0,
  dripMs: 0,
  health: 'ok',
  healthStatus: 200,
  healthToo: false,
  version: '1.0.0',
  poison: '',
};

export type StubConfig = {
  id: string;
  /** Contract level: 1 is fenced. */
  level: 0 | 1;
  /** 0: the kernel chooses. */
  port: number;
  /** Where requests of tenants are listened for; default 127.0.0.1. The control port is on loopback always. */
  host: string;
  /** The access log: one JSON line for each request that is served, appended. Null: none. */
  logFile: string | null;
  /** Keeps the rules across restarts. Null: none are kept. */
  rulesFile: string | null;
  /** `CELL_TOKEN`; null: rules are taken from loopback peers alone. */
  token: string | null;
  behaviour: Partial<Behaviour>;
};

/** An entry of the access log: this cell served a tenant's request. */
export type Served = {
  /** When it began: epoch milliseconds with fractions, of this process's steady clock. */
  at: number;
  /** When it was done, before the answer was written; null: it never was, or it has no end of its own. */
  untilMs: number | null;
  tenant: string;
  method: string;
  home: string;
  role: string;
  epoch: number;
  cell: string;
};

/** What happened since the process started. */
export type Counters = {
  served: number;
  /** Refused with 421. */
  refused: number;
  /** Dropped because their `x-cell-deadline` was over. */
  expired: number;
  probes: number;
  /** Rules that were brought, and requests for that which were turned away. */
  rules: number;
  unauthorized: number;
};
