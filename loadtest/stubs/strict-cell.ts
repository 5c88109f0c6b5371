// A cell that reads strictly and keeps every request it was sent: what came through a router, byte for byte.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { readRequest, type StrictRequest } from './strict-parser.ts';

export type StrictCell = {
  origin: string;
  /** Every request that was read whole, but those for `/health`. */
  seen: StrictRequest[];
  /** What it was sent that no strict reader takes. */
  faults: string[];
  /** Open connections now. */
  sockets: Set<Socket>;
  /** Path → the bytes that answer it, as Latin-1, instead of an empty 200. */
  answers: Map<string, string>;
  close(): Promise<void>;
};

const HEALTH = JSON.stringify({ cell: 'cell-a', version: '1.0.0', status: 'ok', checks: {} });
const HEALTHY = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${HEALTH.length}\r\n\r\n${HEALTH}`;
const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Listens on a free port of loopback. */
export async function startStrictCell(): Promise<StrictCell> {
  const cell: Omit<StrictCell, 'origin' | 'close'> = {
    seen: [],
    faults: [],
    sockets: new Set(),
    answers: new Map(),
  };
  const server = createServer((socket) => {
    cell.sockets.add(socket);
    socket.once('close', () => cell.sockets.delete(socket));
    socket.on('error', () => undefined);
    listen(cell, socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of cell.sockets) socket.destroy();
    await closed;
  };
  return { ...cell, origin: `http://127.0.0.1:${port}`, close };
}

function listen(cell: Pick<StrictCell, 'seen' | 'faults' | 'answers'>, socket: Socket): void {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    try {
      for (let read = readRequest(text); read !== null; read = readRequest(text)) {
        text = text.slice(read.bytes);
        socket.write(answerTo(cell, read.request), 'latin1');
      }
    } catch (error) {
      cell.faults.push(error instanceof Error ? error.message : String(error));
      text = '';
      socket.destroy();
    }
  });
}

function answerTo({ seen, answers }: Pick<StrictCell, 'seen' | 'answers'>, request: StrictRequest): string {
  if (request.target === '/health') return HEALTHY;
  seen.push(request);
  return answers.get(request.target.split('?')[0] ?? '') ?? EMPTY;
}
