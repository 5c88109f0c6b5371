// Step 5 of a request: to the cell and back. Head and body go straight through, paced and cut from either side.
import type { Dispatcher, Pool } from 'undici';
import type { Exchange, Served } from '../exchange.ts';
import { cellFailure, ClientGone } from './failure.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import { hasBody, RequestBody } from './request-body.ts';

/** What the exchange with a cell tells about the cell. */
export type CellObserver = {
  observeNoConnection(cell: string, reason: string): void;
  observeAnswer(cell: string, bad: boolean, nowMs: number): void;
};

/**
 * Sends the request to the cell that was chosen and the cell's answer to the client. The request's bytes are written
 * at most once. Failures before the head of an answer become refusals; after it the client's response is cut, never
 * ended as if it were whole.
 */
export function forward(
  exchange: Exchange,
  served: Served,
  pool: Pool,
  observer: CellObserver,
  maxBodyBytes: number | null,
): void {
  const { head, request } = exchange;
  if (maxBodyBytes !== null && Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
    exchange.refuse('body-too-large', `At most ${maxBodyBytes} bytes.`);
    return;
  }
  const relay = new Relay(exchange, served, observer);
  const options: Dispatcher.DispatchOptions = {
    path: head.target,
    method: head.method,
    headers: headersOf(exchange, served),
    body: hasBody(request) ? new RequestBody(request, maxBodyBytes) : null,
    headersTimeout: exchange.timeoutMs,
    bodyTimeout: expectsEvents(exchange) ? 0 : exchange.timeoutMs,
  };
  try {
    pool.dispatch(options, relay);
  } catch (error) {
    relay.fail(error);
  }
}

/** The header list for the cell, with the deadline that follows from the exchange's time-out. */
export function headersOf(exchange: Exchange, served: Served): string[] {
  const { head, tenant, requestId, timeoutMs } = exchange;
  return requestHeaders({ head, tenant, choice: served, requestId, deadline: Date.now() + timeoutMs });
}

/** Server-sent events may be silent for as long as they like. */
function expectsEvents({ request }: Exchange): boolean {
  return request.headers.accept?.includes('text/event-stream') === true;
}

function isEventStream(headers: readonly string[]): boolean {
  const at = headers.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === 'content-type');
  return at !== -1 && /^text\/event-stream\b/i.test(headers[at + 1] ?? '');
}

/** Takes a cell's answer from undici and writes it to the client as it comes. */
export class Relay implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;
  readonly #served: Served;
  readonly #observer: CellObserver;
  #controller: Dispatcher.DispatchController | null = null;
  #headWritten = false;
  #finished = false;

  constructor(exchange: Exchange, served: Served, observer: CellObserver) {
    this.#exchange = exchange;
    this.#served = served;
    this.#observer = observer;
    exchange.onEnd(() => this.#clientClosed());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#exchange.response.destroyed) controller.abort(new ClientGone());
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Interim answers (100, 103) end here: an HTTP/1.0 client could take one for the answer itself.
    if (status < 200) return;
    const { response } = this.#exchange;
    const { cell } = this.#served;
    this.#observer.observeAnswer(cell, status === 502 || status === 504, performance.now());
    this.#exchange.answering(status);
    this.#headWritten = true;
    const headers = responseHeaders(rawFields(controller.rawHeaders), cell, this.#exchange.requestId);
    response.writeHead(status, headers);
    response.on('drain', () => controller.resume());
    this.#exchange.eventStream = isEventStream(headers);
    // An event stream's client waits for the head, not for the first event.
    if (this.#exchange.eventStream) response.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#exchange.response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#finished = true;
    this.#exchange.response.end();
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    this.fail(error);
  }

  /** The exchange with the cell has failed: tells the client, or cuts what it was being told. */
  fail(error: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    if (error instanceof ClientGone) return;
    const failure = cellFailure(error);
    const { cell } = this.#served;
    if (failure.blame === 'no-connection') this.#observer.observeNoConnection(cell, failure.detail);
    else if (failure.blame === 'exchange') this.#observer.observeAnswer(cell, true, performance.now());
    if (this.#headWritten) this.#exchange.response.destroy();
    else this.#exchange.refuse(failure.code, failure.detail);
  }

  #clientClosed(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#controller?.abort(new ClientGone());
  }
}

/** undici hands the fields over as bytes on HTTP/1.1; its type also covers other protocols. */
export function rawFields(raw: Dispatcher.DispatchController['rawHeaders']): Buffer[] {
  if (!Array.isArray(raw)) return [];
  return raw.filter((field) => Buffer.isBuffer(field));
}
