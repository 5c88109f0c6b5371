// Which TCP ports of this machine are free.
import { createServer, type AddressInfo } from 'node:net';
import { EXIT, Failure } from '../failure.ts';

const LAST_PORT = 65_535;

/** Listens for a moment on 127.0.0.1: the port it got, or the error's code (`EADDRINUSE`, `EACCES`). */
function tryPort(port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const { port: got } = server.address() as AddressInfo;
      server.close(() => resolve(got));
    });
  });
}

/** Throws a `Failure` that names every port that can't be listened on, and what it was wanted for. */
export async function requireFree(wanted: readonly { port: number; use: string }[]): Promise<void> {
  const faults: string[] = [];
  for (const { port, use } of wanted) {
    const got = await tryPort(port);
    if (got === 'EADDRINUSE') faults.push(`port ${port} (${use}) is in use; choose another`);
    else if (typeof got === 'string') faults.push(`port ${port} (${use}) can't be opened: ${got}`);
  }
  if (faults.length > 0) throw new Failure(EXIT.no, faults.join('\n'));
}

/** The first `count` free ports from `first` on, without the `taken` ones. */
export async function nextFree(count: number, first: number, taken: ReadonlySet<number>): Promise<number[]> {
  const found: number[] = [];
  for (let port = first; found.length < count; port += 1) {
    if (port > LAST_PORT) {
      throw new Failure(EXIT.no, `no ${count} free ports from ${first} on; choose a lower --cell-port`);
    }
    if (!taken.has(port) && (await tryPort(port)) === port) found.push(port);
  }
  return found;
}

/** A free port of the kernel's choice. */
export async function anyFree(): Promise<number> {
  const got = await tryPort(0);
  if (typeof got === 'string') throw new Failure(EXIT.no, `no free port on 127.0.0.1: ${got}`);
  return got;
}
