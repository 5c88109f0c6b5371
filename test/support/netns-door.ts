// A way into a network namespace that no partition closes: a Unix socket, which both sides see in the file system.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './wait.ts';

export type Door = { url: string; close(): Promise<void> };

/** Runs inside: what comes to the socket goes to the port on the namespace's own loopback. */
const INSIDE = `
  const net = require('node:net');
  const [path, port] = process.argv.slice(1);
  net.createServer((from) => {
    const to = net.connect(Number(port), '127.0.0.1');
    from.pipe(to).pipe(from);
    from.on('error', () => to.destroy());
    to.on('error', () => from.destroy());
  }).listen(path, () => process.stdout.write('open'));`;

/** `enter`: the command that runs another one inside the namespace. */
export async function openDoor(enter: readonly [string, ...string[]], port: number): Promise<Door> {
  const folder = mkdtempSync(join(tmpdir(), 'cg-door-'));
  const path = join(folder, 'door');
  const [program, ...before] = enter;
  const args = [...before, process.execPath, '-e', INSIDE, path, String(port)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let open = false;
  child.stdout.on('data', () => (open = true));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const sockets = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect(path);
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    from.pipe(to).pipe(from);
    from.on('error', () => to.destroy());
    to.on('error', () => from.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await until('the door is open', () => open || child.exitCode !== null);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      child.kill('SIGKILL');
      for (const socket of sockets) socket.destroy();
      await Promise.all([exited, new Promise((resolve) => server.close(resolve))]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
