// The cell's claim on its embedded PostgreSQL: one connection, held while the cell lives, that also feels its end.
import { setTimeout as pause } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';

/** Any fixed number: the advisory lock of the one cell that may use these data. */
const LOCK_KEY = 4_102;
const CONNECT_LIMIT_MS = 1_000;
/** A cell that was just killed loses its connection, and with it the lock, within this. */
const CLAIM_LIMIT_MS = 3_000;
const RETRY_MS = 50;

/** Another living cell holds these data. */
class InUseError extends Error {
  override name = 'InUseError';
}

export interface Keeper {
  /** Resolves when the connection is gone, by `release` or because PostgreSQL ended. */
  readonly lost: Promise<void>;
  release(): Promise<void>;
}

/** Connects to `url` and claims the data for this cell. Throws `InUseError`, or what the connection died of. */
export async function claim(url: string): Promise<Keeper> {
  const client = new Client({
    connectionString: url,
    application_name: 'cell keeper',
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: CONNECT_LIMIT_MS,
  });
  const lost = new Promise<void>((resolve) => {
    client.once('end', () => resolve());
  });
  // Every loss is felt through `end`; without a listener an error would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await lock(client);
  } catch (error) {
    await client.end();
    throw error;
  }
  return { lost, release: () => client.end() };
}

/** Whether PostgreSQL may still come up: its socket is not there yet, or it says that it is starting or stopping. */
export function isNotYet(error: unknown): boolean {
  return !(error instanceof InUseError) && (!(error instanceof DatabaseError) || error.code === '57P03');
}

async function lock(client: Client): Promise<void> {
  const end = performance.now() + CLAIM_LIMIT_MS;
  for (;;) {
    const { rows } = await client.query<{ held: boolean }>('select pg_try_advisory_lock($1) as held', [
      LOCK_KEY,
    ]);
    if (rows[0]?.held === true) return;
    if (performance.now() > end) throw new InUseError('another cell is running on the same DATA_DIR');
    await pause(RETRY_MS);
  }
}
