// Many WebSocket tunnels through a router at once: each must echo, some of them frames of 1 MiB.
import { WebSocket } from 'ws';

export type TunnelRun = {
  wanted: number;
  opened: number;
  /** Tunnels that echoed what they were sent, while all others were open. */
  echoed: number;
  /** Those among them whose frame was of 1 MiB. */
  large: number;
};

const AT_ONCE = 100;
const LARGE_BYTES = 1_048_576;
const LARGE_EVERY = 50;
/** A bound against hanging. */
const ANSWER_MS = 30_000;

export async function openTunnels(port: number, wanted: number): Promise<TunnelRun> {
  const sockets: WebSocket[] = [];
  try {
    while (sockets.length < wanted) {
      const more = Math.min(AT_ONCE, wanted - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: more }, () => opened(port)))));
    }
    const isOpen = (socket: WebSocket): boolean => socket.readyState === WebSocket.OPEN;
    const run = { wanted, opened: sockets.filter(isOpen).length, echoed: 0, large: 0 };
    for (let at = 0; at < wanted; at += AT_ONCE) {
      const batch = sockets.slice(at, at + AT_ONCE).map(async (socket, i) => {
        const large = (at + i) % LARGE_EVERY === 0;
        const sent = Buffer.alloc(large ? LARGE_BYTES : 20, at + i);
        if (!isOpen(socket) || !(await echoes(socket, sent))) return;
        run.echoed += 1;
        if (large) run.large += 1;
      });
      await Promise.all(batch);
    }
    return run;
  } finally {
    for (const socket of sockets) socket.terminate();
  }
}

/** Resolves with the socket whether it opened or not. */
async function opened(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/t/acme/ws`, {
    perMessageDeflate: false,
    handshakeTimeout: ANSWER_MS,
  });
  socket.on('error', () => undefined);
  return await new Promise((resolve) => {
    for (const event of ['open', 'close'] as const) socket.once(event, () => resolve(socket));
  });
}

async function echoes(socket: WebSocket, sent: Buffer): Promise<boolean> {
  return await new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), ANSWER_MS);
    const done = (same: boolean): void => {
      clearTimeout(late);
      resolve(same);
    };
    socket.once('message', (data: Buffer) => done(sent.equals(data)));
    socket.once('close', () => done(false));
    socket.send(sent);
  });
}
