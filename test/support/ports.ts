// Free ports on loopback, for processes that must be told a port before they start, or that come back to the same one.
import { createServer } from 'node:net';

/**
 * Below the range that the kernel takes the ports of outgoing connections from (32,768 upwards on Linux): a port that
 * is given up for a moment is not taken by somebody's connection meanwhile.
 */
const LOWEST = 12_000;
const HIGHEST = 32_000;
const TRIES = 200;

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await freePorts(1);
}

/** The first of `count` ports in a row that were free a moment ago. */
export async function freePorts(count: number): Promise<number> {
  for (let time = 0; time < TRIES; time += 1) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
  throw new Error(`no ${count} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
