// A WebSocket on its way to the cell: the upgrade is asked of the cell first, then bytes pass both ways untouched.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Served } from '../exchange.ts';
import { LIMITS } from '../limits.ts';
import { Attempt, type AttemptEvents } from './attempt.ts';
import type { Delivery } from './delivery.ts';
import { answerFields } from './headers.ts';
import { OpenTunnel } from './open-tunnel.ts';
import type { AnswerHead } from './wire/answer-head.ts';
import type { CellConnection } from './wire/cell-connection.ts';

const FRAMING = 'connection: Upgrade\r\nupgrade: websocket\r\n';

/**
 * Asks the cell for the upgrade and, on its 101, joins the two sockets. Anything but a 101 is the answer to the
 * client's request as it stands; an unreachable cell is a refusal before any 101. `early`: bytes that the client sent
 * right behind its request. Pings, fragments, extensions and close codes belong to the two ends (RFC 6455).
 */
export class TunnelAttempt extends Attempt {
  readonly #early: EarlyBytes;
  readonly #idleMs: number;

  /** `idleMs`: how long an open tunnel may be silent, 0 for ever. */
  constructor(
    delivery: Delivery,
    served: Served,
    deadline: number,
    events: AttemptEvents,
    { early, idleMs }: { early: EarlyBytes; idleMs: number },
  ) {
    super(delivery, served, deadline, events);
    this.#early = early;
    this.#idleMs = idleMs;
  }

  open(connection: CellConnection, host: string): void {
    this.send(connection, { framing: FRAMING, host, chunked: false, length: null, upgrade: true }, null);
  }

  override onSwitched(head: AnswerHead, cellSocket: Socket, rest: Buffer): void {
    const { client, requestId } = this.exchange;
    const clientSocket = client.socket;
    if (clientSocket === null || clientSocket.destroyed) {
      cellSocket.destroy();
      return;
    }
    this.finishOpen(head.status);
    const headers = answerFields(head, this.served.cell, requestId);
    clientSocket.write(switchingProtocols(headers), 'latin1');
    if (rest.length > 0) cellSocket.unshift(rest);
    const tunnel = new OpenTunnel(clientSocket, cellSocket, this.#idleMs, this.#early.take());
    this.streams((code, lingerMs) => tunnel.end(code, lingerMs));
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
    if (this.#bytes > LIMITS.earlyBytes) this.#socket?.pause();
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
