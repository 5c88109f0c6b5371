// One server of a pair as the links ask it: a statement at a time, each bounded, on a connection that may come and go.
import type { Pool, QueryResultRow } from 'pg';
import { openPool } from '../pool.ts';

/** No database of that name (SQLSTATE). */
export const NO_DATABASE = '3D000';

const CONNECT_LIMIT_MS = 2_000;
const ANSWER_LIMIT_MS = 2_000;

export class Partner {
  readonly url: string;
  readonly #pool: Pool;

  /** Connects on demand. */
  constructor(url: string) {
    this.url = url;
    // A server that goes away is met by the next question.
    this.#pool = openPool(url, () => undefined, {
      application_name: 'cell link',
      max: 1,
      connectionTimeoutMillis: CONNECT_LIMIT_MS,
      idleTimeoutMillis: 10_000,
      keepAlive: true,
    });
  }

  /** The rows of one statement. Rejects when there is no answer within `limitMs`; what was asked may still be done. */
  async ask<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    limitMs = ANSWER_LIMIT_MS,
  ): Promise<Row[]> {
    const query = { text, values: [...values], query_timeout: limitMs };
    const client = await this.#pool.connect();
    let failure: Error | undefined;
    try {
      return (await client.query<Row>(query)).rows;
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      // After an unclear end the connection may still be busy with the statement.
      client.release(failure);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Asks the server of `url` for as long as `work` lasts. */
export async function withPartner<T>(url: string, work: (partner: Partner) => Promise<T>): Promise<T> {
  const partner = new Partner(url);
  try {
    return await work(partner);
  } finally {
    await partner.close();
  }
}
