// The process of one stub cell: its settings in STUB_CELL, its ports as a line on stdout, its behaviour over the control port.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { StubCell } from './stub-cell.ts';
import type { Behaviour, StubConfig } from './stub-options.ts';

const config = JSON.parse(process.env['STUB_CELL'] ?? '') as StubConfig;
const cell = new StubCell(config);

const front = serverOf((request, response) => {
  cell.handle(request, response).catch(() => response.destroy());
});
front.on('upgrade', (request, socket, early) => cell.upgrade(request, socket, early));
const port = await listen(front, config.host, config.port);
const back = serverOf((request, response) => {
  tell(request.method === 'PUT' ? text(request) : null)
    .then((answer) => response.end(JSON.stringify(answer)))
    .catch(() => response.destroy());
});
const control = await listen(back, '127.0.0.1', 0);
process.once('SIGTERM', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ port, control })}\n`);

/** `PUT` of a part of a behaviour changes that part; either way the counters are the answer. */
async function tell(change: Promise<string> | null): Promise<unknown> {
  if (change !== null) {
    cell.behaviour = { ...cell.behaviour, ...(JSON.parse(await change) as Partial<Behaviour>) };
  }
  return cell.counters;
}

function serverOf(listener: RequestListener): Server {
  return createServer({ keepAliveTimeout: 60_000 }, listener);
}

async function listen(server: Server, host: string, wanted: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(wanted, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}
