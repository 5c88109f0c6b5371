// What an event stream leaves behind in the process when its client goes.
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { bareApp } from '../../../support/bare-app.ts';
import { until } from '../../../support/wait.ts';

/** Far more than the timers that the test itself and its clients may have. */
const STREAMS = 40;

function ticking(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

test('the timers of event streams are cleared when their clients leave', async () => {
  const app = await bareApp();
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
  }
});
