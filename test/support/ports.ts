// Free ports on loopback, for processes that must be told a port before they start.
import { createServer, type AddressInfo } from 'node:net';

/** A TCP port that was free a moment ago. Ports are handed out by the kernel, so two calls seldom collide. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
