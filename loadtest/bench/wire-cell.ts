// The cell behind the router while slow clients and tunnels are tried: small answers, large ones, and an echo.
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const CHUNK = Buffer.alloc(65_536, 'a');
/** More than the kernel takes for a client that does not read. */
const LARGE_CHUNKS = 64;
const HEALTH = JSON.stringify({ cell: 'cell-a', version: '1.0.0', status: 'ok', checks: {} });

export type WireCell = { origin: string; close(): Promise<void> };

/** `…/large` is answered with 4 MiB, `…/ws` echoes over WebSocket, anything else is a short 200 once its body is read. */
export async function startWireCell(): Promise<WireCell> {
  const server = createServer(answer);
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on('upgrade', (request, socket, early) => {
    websockets.handleUpgrade(request, socket, early, (ws) => {
      ws.on('error', () => undefined);
      ws.on('message', (data, binary) => ws.send(data, { binary }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const ws of websockets.clients) ws.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

const answer: RequestListener = (request, response) => {
  if (request.url === '/health') response.setHeader('content-type', 'application/json').end(HEALTH);
  else if (request.url?.endsWith('/large') === true) sendLarge(response);
  else request.resume().on('end', () => response.end('ok'));
};

function sendLarge(response: ServerResponse): void {
  let left = LARGE_CHUNKS;
  const more = (): void => {
    while (left > 0) {
      left -= 1;
      if (!response.write(CHUNK)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}
