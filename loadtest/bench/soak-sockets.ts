// WebSockets of the mixed load: each is opened, has its frames echoed, and ends in one of four ways.
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { CUT_FRAME } from '../stubs/by-path.ts';
import { NO_ANSWER, type Answer } from './soak-answers.ts';
import { codeIn, HANG_MS } from './soak-send.ts';

/** Who ends it: its client with a goodbye, or without one, after a while or at once; or its cell, in the middle of all. */
const ENDS = ['goodbye', 'killed', 'lingers', 'cell'] as const;
const FRAMES = [20, 2_000, 40_000] as const;
const LINGER_MS = 5_000;

export type SocketKind = { name: string; end: (typeof ENDS)[number] };

export const SOCKET_KINDS: readonly SocketKind[] = ENDS.map((end) => ({ name: `WebSocket, ${end}`, end }));

/**
 * Opens one, and answers once it is closed: 101 and whole where every frame came back as it went and the end was the
 * one it was to be. Never rejects.
 */
export async function playSocket(url: string, { end }: SocketKind, tenant: string): Promise<Answer> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/echo`, { headers: { 'x-tenant-id': tenant } });
  const answer: Answer = { ...NO_ANSWER };
  let refusal = Promise.resolve();
  socket.on('error', ({ message }) => (answer.error ??= message));
  socket.on('upgrade', ({ headers }) => {
    answer.status = 101;
    answer.cell = String(headers['x-cell-id']);
  });
  socket.on('unexpected-response', (asked, told) => {
    answer.status = told.statusCode ?? 0;
    refusal = text(told)
      .then((body) => void (answer.code = codeIn(Buffer.from(body))))
      .catch(() => undefined)
      .finally(() => asked.destroy());
  });
  const limit = setTimeout(() => {
    answer.hung = true;
    socket.terminate();
  }, HANG_MS);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.once('open', () => {
    play(socket, end).then(
      (echoed) => (answer.whole = echoed),
      () => socket.terminate(),
    );
  });
  const code = await closed;
  clearTimeout(limit);
  await refusal;
  return { ...answer, whole: answer.whole && code === CODES[end] };
}

/** What the client's end of it is told as the reason; 1006: nothing. */
const CODES: Record<SocketKind['end'], number> = { goodbye: 1000, killed: 1006, lingers: 1000, cell: 1006 };

/** Whether every frame came back. Ends it, or has it ended. */
async function play(socket: WebSocket, end: SocketKind['end']): Promise<boolean> {
  for (const bytes of FRAMES) {
    const frame = randomBytes(bytes);
    const back = new Promise<boolean>((resolve) => {
      socket.once('message', (data: Buffer) => resolve(data.equals(frame)));
      socket.once('close', () => resolve(false));
    });
    socket.send(frame);
    if (!(await back)) return false;
  }
  if (end === 'killed') socket.terminate();
  else if (end === 'cell') socket.send(CUT_FRAME);
  else {
    if (end === 'lingers') await pause(LINGER_MS);
    socket.close(1000);
  }
  return true;
}
