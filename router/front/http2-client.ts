// A client that speaks HTTP/2: one of its streams, as the steps see it. Whatever happens to it, the others go on.
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Client } from '../client.ts';
import type { Exchange } from '../exchange.ts';

/** Beyond it there is no status in HTTP/2: a cell's 7xx can not be passed on. */
const STATUS_MOST = 599;

/** What a stream is destroyed with; nobody reads it. */
class Cut extends Error {
  override name = 'Cut';
}

export class Http2Client implements Client {
  readonly hasBody: boolean;
  /** Since when it is here, in milliseconds of `performance.now()`. */
  readonly openedAtMs = performance.now();
  /** What it is served by. */
  exchange: Exchange | null = null;
  /** An upgrade is HTTP/1's: there is no connection to hand over. */
  readonly socket: Socket | null = null;
  readonly #stream: ServerHttp2Stream;
  #complete: boolean;
  #answered = false;
  #read = 0;
  #written = 0;
  /** The head of the answer, until it goes. */
  #head: string[] | null = null;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    this.hasBody = !stream.endAfterHeaders;
    this.#complete = stream.endAfterHeaders;
    // Told by `close`, which follows every error.
    stream.on('error', () => undefined);
    // It is not read before somebody wants the body: the listener alone would begin to.
    if (this.hasBody) {
      stream.pause();
      stream.on('data', this.#onData).once('end', this.#onEnd).once('aborted', this.#onAborted);
    }
  }

  get body(): Readable {
    return this.#stream;
  }

  get complete(): boolean {
    return this.#complete;
  }

  get gone(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  get severed(): boolean {
    return this.gone;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get read(): number {
    return this.#read;
  }

  get written(): number {
    return this.#written;
  }

  get untaken(): number {
    return this.#stream.writableLength;
  }

  onClose(listener: () => void): void {
    this.#stream.once('close', listener);
  }

  onDrain(listener: () => void): void {
    this.#stream.on('drain', listener);
  }

  inviteBody(): void {
    if (!this.gone) this.#stream.additionalHeaders({ ':status': constants.HTTP_STATUS_CONTINUE });
  }

  writeHead(status: number, _reason: string, headers: string[]): void {
    if (status > STATUS_MOST) this.cut();
    else this.#head = [':status', String(status), ...headers];
  }

  flushHead(): void {
    this.#sendHead(false);
  }

  write(part: Buffer): boolean {
    if (!this.#takesMore()) return true;
    this.#sendHead(false);
    this.#written += part.length;
    // It goes later, when the client's window allows.
    return this.#stream.write(Buffer.from(part));
  }

  end(last?: Buffer | string): void {
    if (this.#answered || this.gone) return;
    this.#answered = true;
    const chunk = last === undefined ? undefined : Buffer.from(last as Buffer);
    if (chunk === undefined || !this.#takesMore()) {
      // Head and end go as one frame.
      this.#sendHead(true);
      this.#stream.end();
    } else {
      this.#sendHead(false);
      this.#written += chunk.length;
      this.#stream.end(chunk);
    }
    if (!this.#complete) this.#stopBody();
  }

  /** Each stream says itself where it ends: nothing of another one is in doubt. */
  closeAfterwards(): void {}

  /**
   * By an error, which is INTERNAL_ERROR to the client. `close` with that code would first end the answer as if it were
   * whole; and it waits until its frame has gone, which may take as long as the client likes.
   */
  cut(): void {
    this.#stream.destroy(new Cut());
  }

  reset(): void {
    this.cut();
  }

  /** Not a byte of it was looked at: it may be sent again, whatever its method (RFC 9113, section 8.7). */
  refuseUnseen(): void {
    this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
    this.#stream.destroy();
  }

  /** False: an answer to HEAD, or of a status that has no body. Node has ended its side then. */
  #takesMore(): boolean {
    return !this.gone && !this.#stream.writableEnded;
  }

  #sendHead(endStream: boolean): void {
    const head = this.#head;
    this.#head = null;
    if (head !== null && !this.gone) this.#stream.respond(head, { endStream });
  }

  /** The answer is whole before the request: its client may stop sending (RFC 9113, section 8.1). */
  #stopBody(): void {
    const stream = this.#stream;
    // Behind the end of the answer, which would be lost otherwise.
    const stop = (): unknown =>
      setImmediate(() => {
        stream.close(constants.NGHTTP2_NO_ERROR);
        // It closes when what has come is read, and nobody else does that any more.
        stream.resume();
      });
    if (stream.writableFinished) stop();
    else stream.once('finish', stop);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#read += chunk.length;
  };

  readonly #onEnd = (): void => {
    // After a reset by its client, even one without an error, it ends as well: what came by then is not all.
    this.#complete = !this.#stream.closed;
  };

  readonly #onAborted = (): void => {
    // Node would first wait until somebody reads what came.
    process.nextTick(() => this.#stream.destroy());
  };
}
