// What an event stream leaves behind in the process when its client goes.
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { buildApp } from '../../../../cell-template/app.ts';
import { allOwn } from '../../../../cell-template/contract-stand-in.ts';
import { homesOf } from '../../../../cell-template/homes.ts';
import { CellMetrics } from '../../../../cell-template/metrics.ts';
import { openDatabase } from '../../../../cell-template/database.ts';
import { until } from '../../../support/wait.ts';

/** Far more than the timers that the test itself and its clients may have. */
const STREAMS = 40;

function ticking(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

test('the timers of event streams are cleared when their clients leave', async () => {
  // No stream asks the database: it is never connected to.
  const database = openDatabase('postgres://nobody@127.0.0.1:1/none', () => undefined);
  const app = await buildApp({
    cellId: 'cell-a',
    version: '1.0.0',
    database,
    homes: homesOf([]),
    contract: allOwn('cell-a'),
    metrics: new CellMetrics(),
    token: null,
    onWrite: () => undefined,
    logger: pino({ level: 'silent' }),
  });
  try {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/events`;
    const leave = new AbortController();
    const open = Array.from({ length: STREAMS }, () =>
      fetch(url, { headers: { 'x-tenant-id': 'acme' }, signal: leave.signal }),
    );
    await Promise.all(open);
    expect(ticking()).toBeGreaterThanOrEqual(STREAMS);
    leave.abort();
    await until('their timers are gone', () => ticking() < STREAMS / 2);
  } finally {
    await app.close();
    await database.close();
  }
});
