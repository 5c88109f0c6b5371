// The memory of a router with many idle connections: fresh, with each having made one request, and after a busy moment.
import { mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../rig/until.ts';
import { keepBusy } from './soak-busy.ts';
import { startSoakFleet, type SoakFleet, type Tenant } from './soak-fleet.ts';
import { rssOf } from './soak-process.ts';
import { metricIn } from './soak-samples.ts';
import { median } from './statistics.ts';

export type IdleOptions = {
  folder: string;
  connections: number;
  /** How long memory is looked at, each time; a connection is closed after 65 s without a request. */
  lookMs: number;
  busyMs: number;
  say: (line: string) => void;
};

export type IdleMeasured = {
  connections: number;
  /** MB. */
  startRssMb: number;
  /** Each connection has made one request; and the connections that were still open then. */
  idleRssMb: number;
  idleOpen: number;
  /** While it was busy, what was answered then, and the same as above afterwards. */
  busyRssMb: number;
  busyAnswers: number;
  afterBusyRssMb: number;
  afterBusyOpen: number;
};

const OPEN_AT_ONCE = 50;
const LOOK_EVERY_MS = 250;
const ANSWER_LIMIT_MS = 20_000;

/** Throws when a connection gets no good answer; whatever was started has ended then too. */
export async function runIdle({
  folder,
  connections,
  lookMs,
  busyMs,
  say,
}: IdleOptions): Promise<IdleMeasured> {
  const own = join(folder, 'idle');
  mkdirSync(own);
  const fleet = await startSoakFleet(own);
  const clients: Socket[] = [];
  try {
    const startRssMb = await rssOver(fleet, lookMs);
    await openAll(fleet, connections, clients);
    const idle = await look(fleet, lookMs);
    say(`${connections} connections: ${Math.round(idle.rssMb)} MB`);
    const [busyRssMb, busyAnswers] = await Promise.all([rssOver(fleet, busyMs), keepBusy(fleet, busyMs)]);
    // Their time without a request begins anew.
    await askAll(fleet, clients);
    const after = await look(fleet, lookMs);
    return {
      connections,
      startRssMb,
      idleRssMb: idle.rssMb,
      idleOpen: idle.open,
      busyRssMb,
      busyAnswers,
      afterBusyRssMb: after.rssMb,
      afterBusyOpen: after.open,
    };
  } finally {
    for (const client of clients) client.destroy();
    await fleet.close();
  }
}

async function look(fleet: SoakFleet, lookMs: number): Promise<{ rssMb: number; open: number }> {
  const asked = async (name: string): Promise<number> => metricIn(await fleet.router.metrics(), name);
  await until('nothing is inside', async () => (await asked('cellgate_inside_requests')) === 0);
  const rssMb = await rssOver(fleet, lookMs);
  return { rssMb, open: await asked('cellgate_client_connections') };
}

async function rssOver({ router }: SoakFleet, lookMs: number): Promise<number> {
  const values: number[] = [];
  const endMs = performance.now() + lookMs;
  while (performance.now() < endMs) {
    await pause(LOOK_EVERY_MS);
    values.push(rssOf(router.child.pid));
  }
  return median(values);
}

async function openAll(fleet: SoakFleet, count: number, clients: Socket[]): Promise<void> {
  while (clients.length < count) {
    const some = Array.from({ length: Math.min(OPEN_AT_ONCE, count - clients.length) }, () =>
      connect(fleet.port, '127.0.0.1').on('error', () => undefined),
    );
    clients.push(...some);
    await askAll(fleet, some);
  }
}

async function askAll({ tenants }: SoakFleet, clients: readonly Socket[]): Promise<void> {
  for (let at = 0; at < clients.length; at += OPEN_AT_ONCE) {
    const some = clients.slice(at, at + OPEN_AT_ONCE);
    await Promise.all(
      some.map(async (client, i) => await askOne(client, tenants[(at + i) % tenants.length])),
    );
  }
}

/** Sends a request and takes its answer, which is short enough to come at once. */
async function askOne(client: Socket, of: Tenant | undefined): Promise<void> {
  client.write(`GET /orders HTTP/1.1\r\nHost: soak.test\r\nx-tenant-id: ${of?.tenant}\r\n\r\n`);
  let received = '';
  const take = (chunk: Buffer): void => void (received += chunk.toString('latin1'));
  client.on('data', take);
  await until('it is answered', () => received.endsWith('}') || client.destroyed, {
    limitMs: ANSWER_LIMIT_MS,
  });
  client.off('data', take);
  if (!received.startsWith('HTTP/1.1 200 ') || !received.includes(`"tenant":"${of?.tenant}"`)) {
    throw new Error(`an idle connection was answered: ${JSON.stringify(received.slice(0, 200))}`);
  }
}
