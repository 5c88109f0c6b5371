// A cell's HTTP server in the test's own process, for what needs no database.
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '../../cell-template/app.ts';
import { openDatabase } from '../../cell-template/database.ts';
import { homesOf } from '../../cell-template/homes.ts';
import { CellMetrics } from '../../cell-template/metrics.ts';
import { Pair } from '../../cell-template/standby/pair.ts';
import { Recovery } from '../../cell-template/standby/recovery.ts';
import { Retention } from '../../cell-template/standby/retention.ts';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/none';

/** A server whose database is never there. `token`: the cell's. */
export async function bareApp({ token = null }: { token?: string | null } = {}): Promise<FastifyInstance> {
  const cellId = 'cell-a';
  const logger = pino({ level: 'silent' });
  const database = openDatabase(NOWHERE, () => undefined);
  const alone = { cellId, neighbourUrl: null, logger };
  const pair = new Pair({ ...alone, ownUrl: NOWHERE, standbyOf: [], migrations: '', durability: 'async' });
  const recovery = new Recovery({ ...alone, url: NOWHERE, isCopied: () => true });
  const app = await buildApp({
    config: {
      cellId,
      version: '1.0.0',
      cellToken: token,
      // A busy machine must not make the test's own process look asleep.
      asleepMs: 60_000,
      guestPolicy: 'full',
      maxStandbyLagS: 60,
    },
    stack: {
      database,
      homes: homesOf([]),
      pair,
      recovery,
      retention: new Retention(database, logger),
      confirmation: null,
    },
    metrics: new CellMetrics(),
    logger,
    onWrite: () => undefined,
  });
  app.addHook('onClose', () => database.close());
  return app;
}
