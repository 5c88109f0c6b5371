// One request on its way through the steps: what is known of it so far, and its one end.
import type { InBag } from './bag.ts';
import type { Choice } from './choose-cell.ts';
import type { Client } from './client.ts';
import { refusalAnswer, type RefusalCode, type RefusalMore } from './errors.ts';
import { reasonOf } from './reason.ts';
import { headerOf, type RequestHead } from './request-head.ts';
import { requestIdFrom } from './telemetry/trace.ts';

export type Served = Extract<Choice, { cell: string }>;

/** An end of a request, for the log and the metrics. */
export type ExchangeEnd = {
  exchange: Exchange;
  /** 499: the client left before the head of an answer. */
  status: number;
  headMs: number | null;
  durationMs: number;
};

const CLIENT_GONE = 499;

export class Exchange implements InBag {
  inBagAt = -1;
  readonly client: Client;
  readonly head: RequestHead;
  readonly requestId: string;
  /** `request`, or `tunnel` for a WebSocket's upgrade. */
  readonly kind: 'request' | 'tunnel';
  /** The class of its route, for the log: never the client's own path. */
  route = 'tenant';
  tenant: string | null = null;
  /** The home cell of its tenant, once it is known. */
  home: string | null = null;
  served: Served | null = null;
  code: RefusalCode | null = null;
  /** The answer is a stream of server-sent events: it has no end of its own. */
  eventStream = false;
  /** Nobody knows how long the answer will be: it may pause for longer than one whose length was told. */
  endless = false;
  /** Who brings the answer; told when it has stopped coming. */
  source: { stalled(): void } | null = null;
  /** How long the cell may take until the head of its answer. */
  timeoutMs: number;
  readonly #startedAtMs = performance.now();
  /** The client waits for a word before it sends its body (RFC 9110, section 10.1.1). */
  #awaitsContinue: boolean;
  #headMs: number | null = null;
  #status: number | null = null;
  readonly #onEnd: ((end: ExchangeEnd) => void)[] = [];

  constructor(client: Client, head: RequestHead, kind: 'request' | 'tunnel', timeoutMs: number) {
    this.client = client;
    this.head = head;
    this.kind = kind;
    this.timeoutMs = timeoutMs;
    this.#awaitsContinue = head.version !== '1.0' && headerOf(head, 'expect') !== null;
    this.requestId = requestIdFrom(headerOf(head, 'x-request-id'));
    client.onClose(() => this.#end());
  }

  /** Whether the client is still there and nothing was answered yet. */
  get open(): boolean {
    return this.#status === null && !this.client.gone;
  }

  /** Whether the head of an answer was given to the client. */
  get begun(): boolean {
    return this.#status !== null;
  }

  onEnd(listener: (end: ExchangeEnd) => void): void {
    this.#onEnd.push(listener);
  }

  /** The head of an answer is about to be written. */
  answering(status: number): void {
    this.#status = status;
    this.#headMs = performance.now() - this.#startedAtMs;
  }

  /** The body is wanted: there is a cell for it. A client that waits to be asked is asked now. */
  inviteBody(): void {
    if (this.#awaitsContinue) this.client.inviteBody();
    this.#awaitsContinue = false;
  }

  /** Answers with a status and fields alone. */
  answerEmpty(status: number, headers: readonly string[]): void {
    if (!this.open) return;
    this.answering(status);
    this.client.writeHead(status, reasonOf(status), [...headers, 'x-request-id', this.requestId]);
    this.client.end();
  }

  /** The client does not keep up. One that waits for the head of an answer is told so; what has begun is cut. */
  tooSlow(): void {
    if (this.open) this.rejected(408);
    else this.client.reset();
  }

  /** The message itself can not be read on: its answer is a bare status, as the parser gives it, and the last one. */
  rejected(status: number): void {
    this.closeAfterwards();
    this.served = null;
    this.answerEmpty(status, ['content-length', '0']);
  }

  /** The connection is not to be read any further: what follows on it can not be told from what came before. */
  closeAfterwards(): void {
    this.client.closeAfterwards();
  }

  /** Answers with one of the router's own refusals; does nothing when an answer has begun or the client is gone. */
  refuse(code: RefusalCode, detail: string | null, more: RefusalMore = {}): void {
    if (!this.open) return;
    this.code = code;
    // Where such a request ends is a guess, and so it is with a client that was not asked for its body yet.
    if (code === 'bad-request' || this.#awaitsContinue) this.closeAfterwards();
    const answer = refusalAnswer(code, detail, this.requestId, more);
    this.answering(answer.status);
    this.client.writeHead(answer.status, reasonOf(answer.status), answer.headers);
    this.client.end(answer.body);
  }

  #end(): void {
    const durationMs = performance.now() - this.#startedAtMs;
    const end = { exchange: this, status: this.#status ?? CLIENT_GONE, headMs: this.#headMs, durationMs };
    for (const listener of this.#onEnd) listener(end);
  }
}
