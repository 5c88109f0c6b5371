// A WebSocket on its way to the cell: the upgrade is asked of the cell first, then bytes pass both ways untouched.
import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dispatcher, Pool } from 'undici';
import type { Exchange, Served } from '../exchange.ts';
import { responseHeaders } from './headers.ts';
import { Attempt, rawFields, type AttemptEvents } from './attempt.ts';

/** Dead peers behind a tunnel are found by TCP keep-alive, in about this time and a few probes. */
const KEEP_ALIVE_MS = 30_000;
/** What a client may send before the cell has granted the upgrade; more than that waits in its own socket. */
const EARLY_BYTES_MOST = 65_536;
/** After one side has said its last, the other may finish its sentence; a WebSocket has no use for half a connection. */
const LINGER_MS = 2_000;

/**
 * Asks the cell for the upgrade and, on its 101, joins the two sockets. Anything but a 101 is the answer to the
 * client's request as it stands; an unreachable cell is a refusal before any 101. `early`: bytes that the client sent
 * right behind its request. Pings, fragments, extensions and close codes belong to the two ends (RFC 6455).
 */
export class TunnelAttempt extends Attempt {
  readonly #early: EarlyBytes;

  constructor(
    exchange: Exchange,
    served: Served,
    deadline: number,
    events: AttemptEvents,
    early: EarlyBytes,
  ) {
    super(exchange, served, deadline, events);
    this.#early = early;
  }

  open(pool: Pool): void {
    this.dispatch(pool, {
      path: this.exchange.head.target,
      method: 'GET',
      headers: this.headers(),
      upgrade: 'websocket',
      headersTimeout: this.exchange.timeoutMs,
    });
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _: IncomingHttpHeaders,
    cellSocket: Duplex,
  ): void {
    const { response, requestId } = this.exchange;
    const clientSocket = response.socket;
    if (clientSocket === null || clientSocket.destroyed) {
      cellSocket.destroy();
      return;
    }
    this.finishOpen(status);
    const headers = responseHeaders(rawFields(controller.rawHeaders), this.served.cell, requestId);
    clientSocket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS).setTimeout(0);
    clientSocket.write(switchingProtocols(headers), 'latin1');
    const early = this.#early.take();
    if (early.length > 0) cellSocket.write(early);
    join(clientSocket, cellSocket);
  }
}

/**
 * Reads the client's socket until the cell has answered: a socket that nobody reads does not tell that its peer has
 * left, and the cell would go on for nobody.
 */
export class EarlyBytes {
  readonly #socket: Duplex | null;
  readonly #chunks: Buffer[];
  #bytes = 0;

  constructor(socket: Duplex | null, first: Buffer) {
    this.#socket = socket;
    this.#chunks = [first];
    socket?.on('data', this.#onData).on('end', this.#onEnd);
  }

  /** Ends the reading; what came is the caller's to pass on. */
  take(): Buffer {
    this.#socket?.off('data', this.#onData).off('end', this.#onEnd);
    return Buffer.concat(this.#chunks);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > EARLY_BYTES_MOST) this.#socket?.pause();
  };

  readonly #onEnd = (): void => {
    this.#socket?.destroy();
  };
}

function switchingProtocols(headers: readonly string[]): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}

/** Both ways until either side ends or fails; then neither lives on. */
function join(client: Duplex, cell: Duplex): void {
  client.pipe(cell);
  cell.pipe(client);
  let linger: NodeJS.Timeout | null = null;
  const end = (): void => {
    if (linger !== null) clearTimeout(linger);
    client.destroy();
    cell.destroy();
  };
  for (const side of [client, cell]) {
    // Told by `close`, which follows every error.
    side.on('error', () => undefined);
    side.once('close', end);
    side.once('end', () => (linger ??= setTimeout(end, LINGER_MS)));
  }
}
