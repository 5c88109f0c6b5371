// What a stub cell serves without an end of its own: event streams, and WebSockets that a strict client takes for real.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** The pause between two events, or two frames. */
const TICK_MS = 100;
const WORD = 'tick';
/** RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** An unmasked text frame of one short word, as a cell sends it. */
const FRAME = Buffer.from([0x81, WORD.length, ...Buffer.from(WORD)]);

/** Server-sent events until the other side leaves. */
export function streamEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  const timer = setInterval(() => response.write(`data: ${WORD}\n\n`), TICK_MS);
  response.once('close', () => clearInterval(timer));
}

/** Grants a WebSocket and sends frames until the other side leaves; what comes is not read, a close excepted: it ends it. */
export function openWebSocket(request: IncomingMessage, socket: Duplex): void {
  const key = request.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const timer = setInterval(() => socket.write(FRAME), TICK_MS);
  // Its clients send nothing but a close.
  socket.on('data', () => socket.end()).once('end', () => socket.end());
  socket.on('error', () => undefined).once('close', () => clearInterval(timer));
}

/** Turns a request for a WebSocket away with a status and JSON, and ends the connection. */
export function refuseWebSocket(socket: Duplex, status: number, body: unknown): void {
  const json = JSON.stringify(body);
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  );
}
