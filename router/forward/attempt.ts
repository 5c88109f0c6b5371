// One sending of one request to one cell: head and body go straight through, paced and cut from either side.
import type { IncomingHttpHeaders } from 'node:http';
import { errors, type Dispatcher, type Pool } from 'undici';
import type { Exchange, Served } from '../exchange.ts';
import { LIMITS } from '../limits.ts';
import { reasonOf } from '../reason.ts';
import type { BodySource } from './body-source.ts';
import { cellFailure, ClientGone, OddlyCoded, type CellFailure } from './failure.ts';
import type { Stream } from './streams.ts';
import { isOddlyCoded, requestHeaders, responseHeaders, saysItsLength } from './headers.ts';

/** How a sending ended, where the client has not been answered by it. */
export type AttemptEnd =
  /** It failed. `written`: bytes of the request may have reached the cell. */
  | { kind: 'failed'; failure: CellFailure; written: boolean }
  /** 421: by the newest rule the cell knows this tenant is not its own. Null: it did not say of which epoch. */
  | { kind: 'misdirected'; epoch: number | null };

export type AttemptEvents = {
  /** The head of the cell's answer is about to go to the client; from here on nothing can be sent again. */
  answered(status: number): void;
  /**
   * The answer has no end of its own: a tunnel that is open, or server-sent events, before their head. `end` ends it.
   * False: there is no room for it, and the client has been told.
   */
  streams(end: Stream['end']): boolean;
  ended(end: AttemptEnd): void;
  /** The cell has done its part: its answer is whole here, or is wanted no more, though the client may still read it. */
  over(): void;
};

const MISDIRECTED = 421;
const RESET_CONTENT = 205;

/** Events that go on and on. Those that say how long they are, or have no body, are an answer like any other. */
function isEventStream(headers: readonly string[], { head }: Exchange): boolean {
  // Its type first: of nearly all answers it says enough.
  if (!/^text\/event-stream\b/i.test(fieldIn(headers, 'content-type') ?? '')) return false;
  return head.method !== 'HEAD' && fieldIn(headers, 'content-length') === null;
}

function fieldIn(headers: readonly string[], name: string): string | null {
  const at = headers.findIndex(
    (field, i) => i % 2 === 0 && field.length === name.length && field.toLowerCase() === name,
  );
  return at === -1 ? null : (headers[at + 1] ?? null);
}

/** Takes a cell's answer from undici and writes it to the client as it comes. */
export class Attempt implements Dispatcher.DispatchHandler {
  protected readonly exchange: Exchange;
  readonly served: Served;
  readonly #events: AttemptEvents;
  readonly #deadline: number;
  #controller: Dispatcher.DispatchController | null = null;
  #headWritten = false;
  #finished = false;
  #over = false;
  /** What the cell sends as a body goes no further. */
  #bodyless = false;
  #misdirected: Buffer[] | null = null;
  #enough: NodeJS.Timeout | null = null;

  /** `deadline`: when nobody waits for the answer any more, in epoch milliseconds of the cell's clock. */
  constructor(exchange: Exchange, served: Served, deadline: number, events: AttemptEvents) {
    this.exchange = exchange;
    this.served = served;
    this.#deadline = deadline;
    this.#events = events;
  }

  /** Whether the client has got the head of this cell's answer. */
  get answering(): boolean {
    return this.#headWritten;
  }

  /** Whether bytes of the request may have reached the cell. */
  get written(): boolean {
    return this.#controller !== null;
  }

  /** Whether the cell has no more to do with it. */
  get over(): boolean {
    return this.#over;
  }

  /** Sends the request; how it goes is told to the events. */
  sendRequest(pool: Pool, body: BodySource | null): void {
    const { exchange } = this;
    exchange.inviteBody();
    this.dispatch(pool, {
      path: exchange.head.target,
      method: exchange.head.method,
      headers: this.headers(),
      body: body?.open() ?? null,
      headersTimeout: exchange.timeoutMs,
      // Pauses amid the answer are looked after by the pace keeper: how long they may be depends on its head.
      bodyTimeout: 0,
    });
  }

  /** The header list for the cell. */
  protected headers(): string[] {
    const { head, tenant, requestId } = this.exchange;
    return requestHeaders({ head, tenant, choice: this.served, requestId, deadline: this.#deadline });
  }

  protected dispatch(pool: Pool, options: Dispatcher.DispatchOptions): void {
    try {
      pool.dispatch(options, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the sending without a word to anybody: the client has left, or the request goes another way. */
  cancel(): void {
    if (this.#finished) return;
    this.#finish();
    this.#controller?.abort(new ClientGone());
  }

  #finish(): void {
    this.#finished = true;
    this.#over = true;
    if (this.#enough !== null) clearTimeout(this.#enough);
  }

  /** The tunnel is open: the sockets are joined, and this attempt has nothing more to do. */
  protected finishOpen(status: number): void {
    this.#finished = true;
    this.#headWritten = true;
    this.#events.answered(status);
    this.exchange.answering(status);
  }

  /** Tells that this answer has no end of its own. False: it must not go on. */
  protected streams(end: Stream['end']): boolean {
    return this.#events.streams(end);
  }

  /** A client drops an event that is not whole when its stream ends (WHATWG HTML, section 9.2.6): any place will do. */
  #endEvents(): void {
    this.cancel();
    this.exchange.client.end();
    this.#events.over();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#finished) controller.abort(new ClientGone());
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _: IncomingHttpHeaders,
    reason?: string,
  ): void {
    // Interim answers (100, 103) end here: an HTTP/1.0 client could take one for the answer itself.
    if (status < 200) return;
    if (status === MISDIRECTED) {
      this.#misdirected = [];
      this.#enough = setTimeout(() => this.#endMisdirected(), LIMITS.misdirectedMs);
      return;
    }
    const raw = rawFields(controller.rawHeaders);
    if (isOddlyCoded(raw)) {
      controller.abort(new OddlyCoded());
      return;
    }
    const { exchange } = this;
    const { client } = exchange;
    const headers = responseHeaders(raw, this.served.cell, exchange.requestId, status);
    exchange.eventStream = isEventStream(headers, exchange);
    if (exchange.eventStream && !this.streams(() => this.#endEvents())) {
      this.cancel();
      return;
    }
    this.#bodyless = status === RESET_CONTENT;
    exchange.endless = !saysItsLength(raw);
    exchange.source = this;
    this.#events.answered(status);
    exchange.answering(status);
    this.#headWritten = true;
    client.writeHead(status, reasonOf(status, reason), headers);
    client.onDrain(() => controller.resume());
    // An event stream's client waits for the head, not for the first event.
    if (exchange.eventStream) client.flushHead();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#misdirected !== null) {
      this.#misdirected.push(chunk);
      const bytes = this.#misdirected.reduce((sum, { length }) => sum + length, 0);
      if (bytes > LIMITS.misdirectedBytes) this.#endMisdirected();
      return;
    }
    if (!this.#bodyless && !this.exchange.client.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#finished) return;
    if (this.#misdirected === null) {
      this.#finish();
      this.exchange.client.end();
      this.#events.over();
    } else this.#tellMisdirected();
  }

  /** Its length was told, and yet nothing has come for as long as a cell may take. */
  stalled(): void {
    this.#controller?.abort(new errors.BodyTimeoutError());
  }

  /** What a 421 has said until now counts, whether the cell ends it or not. */
  #endMisdirected(): void {
    if (this.#finished) return;
    this.#controller?.abort(new ClientGone());
    this.#tellMisdirected();
  }

  #tellMisdirected(): void {
    this.#finish();
    this.#events.ended({ kind: 'misdirected', epoch: epochIn(Buffer.concat(this.#misdirected ?? [])) });
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#finished || error instanceof ClientGone) return;
    this.#finish();
    // What the client has begun to read is cut, never ended as if it were whole.
    if (this.#headWritten) this.exchange.client.cut();
    this.#events.ended({ kind: 'failed', failure: cellFailure(error), written: this.written });
  }
}

/** undici hands the fields over as bytes on HTTP/1.1; its type also covers other protocols. */
export function rawFields(raw: Dispatcher.DispatchController['rawHeaders']): Buffer[] {
  if (!Array.isArray(raw)) return [];
  return raw.filter((field) => Buffer.isBuffer(field));
}

function epochIn(body: Buffer): number | null {
  try {
    const { epoch } = JSON.parse(body.toString('utf8')) as { epoch?: unknown };
    return typeof epoch === 'number' && Number.isSafeInteger(epoch) && epoch >= 1 ? epoch : null;
  } catch {
    return null;
  }
}
