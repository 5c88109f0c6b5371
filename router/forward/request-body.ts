// The client's body on its way to the cell: paced, counted, and never able to take the client's socket with it.
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { BodyTooLarge, ClientGone } from './failure.ts';

/** Whether a request carries a body at all (RFC 9112, section 6.3), whatever its method. */
export function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

/**
 * Reads from the request as fast as the cell takes it. When the exchange with the cell ends early this stream is
 * destroyed, and the client's socket is not: the client still has to be told why.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #maxBytes: number;
  #bytes = 0;

  /** `maxBytes` null: no limit. */
  constructor(request: IncomingMessage, maxBytes: number | null) {
    super();
    this.#request = request;
    this.#maxBytes = maxBytes ?? Number.POSITIVE_INFINITY;
    request.on('data', this.#onData);
    request.on('end', this.#onEnd);
    request.on('close', this.#onClose);
    request.on('error', this.#onClose);
    request.pause();
  }

  override _read(): void {
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#request.off('data', this.#onData);
    this.#request.off('end', this.#onEnd);
    this.#request.off('close', this.#onClose);
    // What is left is read and thrown away, so that the connection can carry the answer and the next request.
    this.#request.resume();
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) this.destroy(new BodyTooLarge());
    else if (!this.push(chunk)) this.#request.pause();
  };

  readonly #onEnd = (): void => {
    this.push(null);
  };

  readonly #onClose = (): void => {
    if (!this.#request.complete) this.destroy(new ClientGone());
  };
}
