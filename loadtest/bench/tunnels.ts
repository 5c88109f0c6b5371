// Many tunnels at once: opens them through a router of its own, has a frame echoed through each, and counts what is whole.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startRouter } from '../rig/router.ts';
import { until } from '../rig/until.ts';
import { startEchoCell } from '../stubs/echo-cell.ts';

/** So many are opened at once: a crowd at the listener is not what is measured. */
const AT_ONCE = 50;
const OPEN_LIMIT_MS = 30_000;
const ECHO_LIMIT_MS = 120_000;

const ASK = [
  'GET /ws HTTP/1.1',
  'Host: tunnels.test',
  'x-tenant-id: acme',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');

export type TunnelPlay = {
  /** Tunnels that were granted. All of them are open together before the first frame is sent. */
  opened: number;
  /** Tunnels whose frame came back byte for byte. */
  whole: number;
  /** From the first byte of a frame to the last byte of the last echo, in milliseconds. */
  echoMs: number;
  /** Sockets that the cell still had a while after every client had left. */
  leftOpen: number;
};

/** Plays `count` tunnels at once, with one binary frame of `frameBytes` (at most 2^32 - 1) through each. */
export async function playTunnels({
  count,
  frameBytes,
}: {
  count: number;
  frameBytes: number;
}): Promise<TunnelPlay> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgate-tunnels-'));
  const cell = await startEchoCell('cell-a');
  const clients: Socket[] = [];
  try {
    const file = join(folder, 'fleet.yaml');
    const cells = { 'cell-a': { origin: cell.origin, capacity: { tunnels: count } } };
    await writeFile(file, stringify({ cells, generations: [{ add: ['cell-a'] }] }));
    const router = await startRouter('router-tunnels', { FLEET_FILE: file });
    try {
      await openAll(Number(new URL(router.url).port), count, clients);
      const begun = performance.now();
      const payload = randomBytes(frameBytes);
      const echoes = await Promise.all(
        clients.map((client, i) => echoed(client, headOf(i, frameBytes), payload)),
      );
      const echoMs = performance.now() - begun;
      for (const client of clients) client.destroy();
      await until('the cell has no tunnel', () => cell.tunnels.size === 0).catch(() => undefined);
      return {
        opened: clients.length,
        whole: echoes.filter(Boolean).length,
        echoMs,
        leftOpen: cell.tunnels.size,
      };
    } finally {
      await router.stop();
    }
  } finally {
    for (const client of clients) client.destroy();
    await cell.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Adds every client that was granted its tunnel to `clients`. */
async function openAll(port: number, count: number, clients: Socket[]): Promise<void> {
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      const client = await opened(port);
      if (client !== null) clients.push(client);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Null: it was not granted. */
async function opened(port: number): Promise<Socket | null> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true).setTimeout(OPEN_LIMIT_MS);
  socket.on('error', () => undefined).write(ASK);
  let head = '';
  const granted = await new Promise<boolean>((resolve) => {
    const take = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', take);
      resolve(head.startsWith('HTTP/1.1 101 '));
    };
    socket
      .on('data', take)
      .once('close', () => resolve(false))
      .once('timeout', () => resolve(false));
  });
  if (granted) return socket.setTimeout(0);
  socket.destroy();
  return null;
}

/** The head of a masked binary frame with a 64-bit length. Its mask is its tunnel's own: no echo passes for another's. */
function headOf(tunnel: number, frameBytes: number): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt16BE(0x82ff);
  head.writeUInt32BE(frameBytes, 6);
  head.writeUInt32BE(tunnel, 10);
  return head;
}

/** Whether a frame comes back as it went, within the limit. */
async function echoed(socket: Socket, head: Buffer, payload: Buffer): Promise<boolean> {
  const check = new EchoCheck([head, payload]);
  socket.cork();
  socket.write(head);
  socket.write(payload);
  socket.uncork();
  return await new Promise<boolean>((resolve) => {
    const end = (whole: boolean): void => {
      clearTimeout(limit);
      resolve(whole);
    };
    const limit = setTimeout(() => end(false), ECHO_LIMIT_MS);
    socket.once('close', () => end(false));
    socket.on('data', (chunk: Buffer) => {
      if (!check.take(chunk)) end(false);
      else if (check.whole) end(true);
    });
  });
}

/** Compares what comes as it comes: a thousand large frames are not kept. */
class EchoCheck {
  readonly #parts: readonly Buffer[];
  #part = 0;
  #at = 0;

  constructor(parts: readonly Buffer[]) {
    this.#parts = parts;
  }

  get whole(): boolean {
    return this.#part === this.#parts.length;
  }

  /** False: these are not the bytes that were sent. */
  take(chunk: Buffer): boolean {
    for (let from = 0; from < chunk.length;) {
      const expected = this.#parts[this.#part]?.subarray(this.#at, this.#at + chunk.length - from);
      if (expected === undefined || !expected.equals(chunk.subarray(from, from + expected.length)))
        return false;
      from += expected.length;
      this.#at += expected.length;
      if (this.#at === this.#parts[this.#part]?.length) [this.#part, this.#at] = [this.#part + 1, 0];
    }
    return true;
  }
}
