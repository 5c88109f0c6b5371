// What an event stream leaves behind in the process when its client goes.
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { contract } from '../../../../cell-template/contract/contract.ts';
import { streamRoutes } from '../../../../cell-template/routes/streams.ts';
import { bringRule } from '../../../support/cell.ts';
import { ruleOf } from '../../../support/rules.ts';
import { until } from '../../../support/wait.ts';

/** Far more than the timers that the test itself and its clients may have. */
const STREAMS = 40;

function ticking(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

test('the timers of event streams are cleared when their clients leave', async () => {
  const app = Fastify();
  // A machine that is busy enough makes the test's own process look asleep.
  await app.register(contract, { cell: 'cell-a', version: '1.0.0', token: null, asleepMs: 60_000 });
  await streamRoutes(app);
  try {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    await bringRule(origin, ruleOf('cell-a', { neighbour: null }));
    const url = `${origin}/events`;
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
  }
});
