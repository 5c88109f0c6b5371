// The client's body, kept while it is small, so that it can be sent to a cell once more.
import { Readable } from 'node:stream';
import type { Client } from '../client.ts';
import { headerOf, type RequestHead } from '../request-head.ts';
import { BodyTooLarge, ClientGone } from './failure.ts';

/** Whether a request carries a body at all (RFC 9112, section 6.3), whatever its method. */
export function hasBody(head: Pick<RequestHead, 'rawHeaders'>): boolean {
  if (headerOf(head, 'transfer-encoding') !== null) return true;
  const length = headerOf(head, 'content-length');
  return length !== null && length !== '0';
}

export type BodyLimits = {
  /** More than this is refused; null: no limit. */
  maxBytes: number | null;
  /** `REPLAY_BYTES`: what was read is kept up to this, and no second sending is possible beyond it. */
  replayBytes: number;
};

/**
 * One request's body, for as many sendings as it has. Reading goes as fast as the cell takes it. When a sending ends
 * early the client's socket lives on: the client still has to be told why.
 */
export class BodySource {
  readonly #client: Pick<Client, 'body' | 'complete'>;
  readonly #limits: BodyLimits;
  #kept: Buffer[] | null = [];
  #bytes = 0;
  #ended = false;
  #failure: Error | null = null;
  #current: Readable | null = null;

  constructor(client: Pick<Client, 'body' | 'complete'>, limits: BodyLimits) {
    const { body } = client;
    this.#client = client;
    this.#limits = limits;
    body.on('data', this.#onData).on('end', this.#onEnd);
    body.on('close', this.#onClose).on('error', this.#onClose);
    body.pause();
  }

  /** Whether everything that was read so far can be sent again. */
  get replayable(): boolean {
    return this.#kept !== null && this.#failure === null;
  }

  /** A stream of the whole body for the next sending; the stream of the one before gets no more. */
  open(): Readable {
    this.#current = null;
    const stream = new Readable({
      read: () => {
        if (this.#current === stream) this.#client.body.resume();
      },
      destroy: (error, callback) => {
        if (this.#current === stream) {
          this.#current = null;
          this.#client.body.pause();
        }
        callback(error);
      },
    });
    this.#current = stream;
    for (const chunk of this.#kept ?? []) stream.push(chunk);
    if (this.#failure !== null) stream.destroy(this.#failure);
    else if (this.#ended) stream.push(null);
    return stream;
  }

  /** What is left is read and thrown away, so that the connection can carry the answer and the next request. */
  discard(): void {
    this.#kept = null;
    this.#current = null;
    this.#client.body.resume();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    if (this.#bytes > (this.#limits.maxBytes ?? Number.POSITIVE_INFINITY)) {
      this.#fail(new BodyTooLarge());
      return;
    }
    if (this.#bytes > this.#limits.replayBytes) this.#kept = null;
    this.#kept?.push(chunk);
    if (this.#current?.push(chunk) === false) this.#client.body.pause();
  };

  readonly #onEnd = (): void => {
    // An HTTP/2 stream that its client has reset ends as well.
    if (!this.#client.complete) {
      this.#fail(new ClientGone());
      return;
    }
    this.#ended = true;
    this.#current?.push(null);
  };

  readonly #onClose = (): void => {
    if (!this.#client.complete) this.#fail(new ClientGone());
  };

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#current?.destroy(error);
  }
}
