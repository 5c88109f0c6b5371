// A cell that grants every upgrade and sends back each byte that comes through it, in this process.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

export type EchoCell = {
  origin: string;
  /** Open now. */
  tunnels: ReadonlySet<Duplex>;
  close(): Promise<void>;
};

/** Starts it on a port of the kernel's choice, on loopback. Its health is always good. */
export async function startEchoCell(id: string): Promise<EchoCell> {
  const tunnels = new Set<Duplex>();
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ cell: id, version: '1.0.0', status: 'ok', checks: {} }));
  });
  server.on('upgrade', (_, socket: Duplex, early: Buffer) => {
    tunnels.add(socket);
    socket.on('error', () => undefined).once('close', () => tunnels.delete(socket));
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.write(early);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of tunnels) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
  };
}
