// The cell behind the router while slow clients are tried: small answers, and large ones.
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const CHUNK = Buffer.alloc(65_536, 'a');
/** More than the kernel takes for a client that does not read. */
const LARGE_CHUNKS = 64;
const HEALTH = JSON.stringify({ cell: 'cell-a', version: '1.0.0', status: 'ok', checks: {} });

export type WireCell = { origin: string; close(): Promise<void> };

/** `…/large` is answered with 4 MiB, anything else is a short 200 once its body is read. */
export async function startWireCell(): Promise<WireCell> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
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
