// A cell as its checks ask it: over HTTP alone, each request on a connection of its own, none waited for without end.
import { z } from 'zod';
import { requestJson, type JsonAnswer } from '../http-json.ts';
import type { Rule } from '../../router/health/record.ts';

/** What routers read of a health answer. */
const HEALTH_BYTES = 1_048_576;
const REQUEST_LIMIT_MS = 2_000;
/** `HANDOVER_MS` of the routers, and some more. */
const RULE_LIMIT_MS = 3_000;
const MISDIRECTED = 421;

export type Access = {
  /** `http://host:port`. */
  origin: string;
  /** `CELL_TOKEN`. */
  token?: string | undefined;
  /** Where requests of tenants are sent; each is a GET. */
  path: string;
};
/** One request of a tenant, as a router sends it. */
export type Asking = { home: string; tenant: string; epoch: number; headers?: Record<string, string> };
/** What became of it: served or not, the cell has answered; `epoch`: what a 421 says. */
export type Fate = { status: number; epoch: number | null };

const misdirection = z.object({ epoch: z.int().min(1) });

export class CellUnderTest {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  async health(): Promise<JsonAnswer> {
    return await requestJson(
      { url: `${this.#access.origin}/health` },
      { timeoutMs: REQUEST_LIMIT_MS, maxBytes: HEALTH_BYTES },
    );
  }

  /** Rejects where nobody answers. */
  async ask({ home, tenant, epoch, headers = {} }: Asking): Promise<Fate> {
    const { origin, path } = this.#access;
    const { status, body } = await requestJson(
      { url: origin + path },
      {
        headers: {
          'x-tenant-id': Buffer.from(tenant).toString('latin1'),
          'x-cell-home': home,
          'x-cell-epoch': String(epoch),
          ...headers,
        },
        timeoutMs: REQUEST_LIMIT_MS,
        maxBytes: HEALTH_BYTES,
        // What a tenant is answered may have no end.
        reads: (status) => status === MISDIRECTED,
      },
    );
    return { status, epoch: misdirection.safeParse(body).data?.epoch ?? null };
  }

  /** Brings a rule, or what is none; `as`: with other fields than a router's. */
  async bring(
    rule: Rule | string,
    as?: { token?: string; headers?: Record<string, string> },
  ): Promise<JsonAnswer> {
    const { origin, token } = this.#access;
    const given = as ?? { token };
    return await requestJson(
      { url: `${origin}/.cellgate/serving` },
      {
        method: 'PUT',
        type: 'application/json',
        body: Buffer.from(typeof rule === 'string' ? rule : JSON.stringify(rule)),
        ...(given.token === undefined ? {} : { token: given.token }),
        ...(as?.headers === undefined ? {} : { headers: as.headers }),
        timeoutMs: RULE_LIMIT_MS,
        maxBytes: HEALTH_BYTES,
      },
    );
  }

  get hasToken(): boolean {
    return this.#access.token !== undefined;
  }
}

export function isRefused({ status }: Fate): boolean {
  return status === MISDIRECTED;
}
