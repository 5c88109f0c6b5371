// A WebSocket that the cell has granted: bytes pass both ways untouched, until either side ends or the router ends it.
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS } from '../limits.ts';
import { closeFrame, FrameFollower } from './frames.ts';
import { GOING_AWAY } from './streams.ts';

export class OpenTunnel {
  readonly #client: Socket;
  readonly #cell: Duplex;
  readonly #follower = new FrameFollower();
  /** What the client is still to be told, where the router ends it. */
  #goodbye: Buffer | null = null;
  /** Nothing of the cell's passes any more: a close is the last frame of its direction. */
  #closed = false;
  #linger: NodeJS.Timeout | null = null;

  /** Joins the sockets. `idleMs`: how long both may be silent, 0 for ever. `early`: what the client has sent already. */
  constructor(client: Socket, cell: Duplex, idleMs: number, early: Buffer) {
    this.#client = client;
    this.#cell = cell;
    client.setNoDelay(true).setKeepAlive(true, LIMITS.tunnelKeepAliveMs);
    if (cell instanceof Socket) cell.setKeepAlive(true, LIMITS.tunnelKeepAliveMs);
    // Every byte of either direction passes the client's socket: its clock is the tunnel's.
    // The HTTP server's own listener would cut it without a word.
    client
      .removeAllListeners('timeout')
      .setTimeout(idleMs)
      .on('timeout', () => this.end(GOING_AWAY));
    for (const side of [client, cell]) {
      // Told by `close`, which follows every error.
      side.on('error', () => undefined);
      side.once('close', () => this.destroy());
      side.once('end', () => this.#lingerOnce());
    }
    cell.on('data', (chunk: Buffer) => this.#onCellData(chunk)).once('end', () => client.end());
    client.on('drain', () => cell.resume());
    if (early.length > 0) cell.write(early);
    client.pipe(cell);
  }

  /**
   * Closes it with `code`, between two frames of the cell's. The client's answer still reaches the cell, which so
   * learns of the code and ends its side. Whoever takes longer than the linger is cut.
   */
  end(code: number, lingerMs?: number): void {
    if (this.#goodbye !== null) return;
    this.#goodbye = closeFrame(code);
    this.#lingerOnce(lingerMs);
    if (this.#follower.between) this.#sayGoodbye(this.#goodbye);
  }

  destroy(): void {
    if (this.#linger !== null) clearTimeout(this.#linger);
    this.#client.destroy();
    this.#cell.destroy();
  }

  #onCellData(chunk: Buffer): void {
    if (this.#closed) return;
    if (this.#goodbye === null) {
      this.#follower.follow(chunk);
      this.#pass(chunk);
      return;
    }
    this.#pass(chunk.subarray(0, this.#follower.toNextEnd(chunk, 0)));
    if (this.#follower.between) this.#sayGoodbye(this.#goodbye);
  }

  #pass(chunk: Buffer): void {
    if (!this.#client.write(chunk)) this.#cell.pause();
  }

  #sayGoodbye(frame: Buffer): void {
    this.#closed = true;
    this.#client.write(frame);
    this.#cell.resume();
  }

  #lingerOnce(lingerMs: number = LIMITS.lingerMs): void {
    this.#linger ??= setTimeout(() => this.destroy(), lingerMs);
  }
}
