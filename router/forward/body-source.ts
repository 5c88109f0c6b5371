// The client's body, kept while it is small, so that it can be sent to a cell once more.
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

/** Where one sending's body goes. */
export interface BodySink {
  /** False: it takes no more for now; `resume` when it does. */
  part(chunk: Buffer): boolean;
  end(): void;
  /** There will be no more of it. */
  broke(error: Error): void;
}

/**
 * One request's body, for as many sendings as it has. Reading goes as fast as the cell takes it. When a sending ends
 * early the client's connection lives on: the client still has to be told why.
 */
export class BodySource {
  readonly #client: Pick<Client, 'body' | 'complete'>;
  readonly #limits: BodyLimits;
  #kept: Buffer[] | null = [];
  #bytes = 0;
  #ended = false;
  #failure: Error | null = null;
  #sink: BodySink | null = null;

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

  /** Gives the whole body to the next sending; the one before gets no more. */
  sendTo(sink: BodySink): void {
    this.#sink = sink;
    let full = false;
    for (const chunk of this.#kept ?? []) full = !sink.part(chunk);
    if (this.#failure !== null) sink.broke(this.#failure);
    else if (this.#ended) sink.end();
    else if (!full) this.#client.body.resume();
  }

  /** A sending takes more again. */
  resume(sink: BodySink): void {
    if (this.#sink === sink && !this.#ended) this.#client.body.resume();
  }

  /** A sending has ended early: it gets no more, and nothing is read until the next one. */
  leave(sink: BodySink): void {
    if (this.#sink !== sink) return;
    this.#sink = null;
    if (!this.#ended) this.#client.body.pause();
  }

  /** What is left is read and thrown away, so that the connection can carry the answer and the next request. */
  discard(): void {
    this.#kept = null;
    this.#sink = null;
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
    if (this.#sink?.part(chunk) === false) this.#client.body.pause();
  };

  readonly #onEnd = (): void => {
    // An HTTP/2 stream that its client has reset ends as well.
    if (!this.#client.complete) {
      this.#fail(new ClientGone());
      return;
    }
    this.#ended = true;
    this.#sink?.end();
  };

  readonly #onClose = (): void => {
    if (!this.#client.complete) this.#fail(new ClientGone());
  };

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#sink?.broke(error);
  }
}
