// A cell's HTTP server in the test's own process, for what needs no database.
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '../../cell-template/app.ts';
import { allOwn } from '../../cell-template/contract-stand-in.ts';
import { openDatabase } from '../../cell-template/database.ts';
import { homesOf } from '../../cell-template/homes.ts';
import { CellMetrics } from '../../cell-template/metrics.ts';

/** A server whose database is never there. `token`: the cell's. */
export async function bareApp({ token = null }: { token?: string | null } = {}): Promise<FastifyInstance> {
  const database = openDatabase('postgres://nobody@127.0.0.1:1/none', () => undefined);
  const app = await buildApp({
    cellId: 'cell-a',
    version: '1.0.0',
    database,
    homes: homesOf([]),
    contract: allOwn('cell-a'),
    metrics: new CellMetrics(),
    token,
    logger: pino({ level: 'silent' }),
    onWrite: () => undefined,
  });
  app.addHook('onClose', () => database.close());
  return app;
}
