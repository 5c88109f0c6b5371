// One transaction for one tenant: what it may see, under which rule it writes, and when it counts as done.
import { DatabaseError, type Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import { NewerRule } from './newer-rule.ts';
import { isUnavailable, unavailable } from './unavailable.ts';

/** Raised by the schema where a row was written under a newer rule. */
const WRITTEN_BY_NEWER_RULE = 'CG421';
/** Where PostgreSQL gives up waiting for the standby, whatever language its messages have. */
const SYNC_WAIT_ROUTINE = 'SyncRepWaitForLSN';

/** Whose rows, in which home's database, under which epoch of the rule. */
export type Whose = { tenant: string; home: string; epoch: number };

/** `sync`: a commit waits for the standby that the server names in `synchronous_standby_names`. */
export type Durability = 'async' | 'sync';

export interface Transaction {
  /** Runs one statement and answers its rows. */
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

type RuleRow = { epoch: string | null; rule: unknown };

/**
 * Runs `work` in one transaction as the role `cell_app`, to which row-level security shows the rows of that tenant
 * alone. Throws `NewerRule`, with nothing done, where the database knows a newer rule than `whose.epoch`; `Refusal`
 * `database-unavailable` when it does not answer in time, or when the standby did not confirm: what was written may be
 * there then, as after any lost answer. What `work` itself throws rolls back and is passed on.
 */
export async function inTenant<T>(
  pool: Pool,
  durability: Durability,
  whose: Whose,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw unavailable(error);
  });
  const open = new OpenTransaction(client);
  try {
    await open.begin(durability, whose);
    const result = await work(open);
    await open.commit();
    return result;
  } catch (error) {
    await open.rollBack();
    throw error;
  } finally {
    // A connection whose state is not known is not used again.
    client.release(open.broken);
  }
}

class OpenTransaction implements Transaction {
  readonly #client: PoolClient;
  /** Nothing is known of what the connection does: its last statement went unanswered, or its rollback failed. */
  broken = false;
  #unconfirmed = false;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async begin(durability: Durability, { tenant, home, epoch }: Whose): Promise<void> {
    await this.query('begin');
    const [row] = await this.query<RuleRow>(
      `select set_config('role', 'cell_app', true), set_config('cellgate.tenant', $1, true),
              set_config('synchronous_commit', $2, true), known.epoch, known.rule
       from (values (true)) as one left join public.rules as known on known.home = $3`,
      [tenant, durability === 'sync' ? 'on' : 'local', home],
    );
    if (row?.epoch !== undefined && row.epoch !== null && Number(row.epoch) > epoch)
      throw new NewerRule(row.rule);
  }

  async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#run<Row>(text, values)).rows;
  }

  async commit(): Promise<void> {
    const listen = ({ routine }: { routine: string | undefined }): void => {
      if (routine === SYNC_WAIT_ROUTINE) this.#unconfirmed = true;
    };
    this.#client.on('notice', listen);
    try {
      const { command } = await this.#run('commit', []);
      if (command !== 'COMMIT') throw new Error('a statement had failed, and nobody said so');
    } finally {
      this.#client.off('notice', listen);
    }
    // Committed here, not next door: not what `sync` promises, so it is not acknowledged.
    if (this.#unconfirmed) throw unavailable(new Error('the standby did not confirm in time'));
  }

  async rollBack(): Promise<void> {
    if (this.broken || this.#unconfirmed) return;
    await this.#client.query('rollback').catch(() => {
      this.broken = true;
    });
  }

  async #run<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    try {
      return await this.#client.query<Row>(text, [...values]);
    } catch (error) {
      if (!(error instanceof DatabaseError)) this.broken = true;
      if (isUnavailable(error)) throw unavailable(error);
      if (error instanceof DatabaseError && error.code === WRITTEN_BY_NEWER_RULE)
        throw new NewerRule(null, { cause: error });
      throw error;
    }
  }
}
