// One sending of one request to one cell: head and body go straight through, paced and cut from either side.
import type { Socket } from 'node:net';
import type { Exchange, Served } from '../exchange.ts';
import { LIMITS } from '../limits.ts';
import { reasonOf } from '../reason.ts';
import { fieldOf, headerOf } from '../request-head.ts';
import type { BodySource } from './body-source.ts';
import type { Delivery } from './delivery.ts';
import { AnswerTimeout, cellFailure, ClientGone, type CellFailure } from './failure.ts';
import { answerFields, requestFields } from './headers.ts';
import type { Stream } from './streams.ts';
import type { AnswerHead } from './wire/answer-head.ts';
import type { CellConnection, CellRequest, Sending } from './wire/cell-connection.ts';

/** How a sending ended, where the client has not been answered by it. */
export type AttemptEnd =
  /** It failed. `written`: bytes of the request may have reached the cell. */
  | { kind: 'failed'; failure: CellFailure; written: boolean }
  /** 421: by the newest rule the cell knows this tenant is not its own. Null: it did not say of which epoch. */
  | { kind: 'misdirected'; epoch: number | null };

export type AttemptEvents = {
  /** The head of the cell's answer is about to go to the client; from here on nothing can be sent again. */
  answered(attempt: Attempt, status: number): void;
  /**
   * The answer has no end of its own: a tunnel that is open, or server-sent events, before their head. `end` ends it.
   * False: there is no room for it, and the client has been told.
   */
  streams(attempt: Attempt, end: Stream['end']): boolean;
  ended(attempt: Attempt, end: AttemptEnd): void;
  /** The cell has done its part: its answer is whole here, or is wanted no more, though the client may still read it. */
  over(attempt: Attempt): void;
};

const MISDIRECTED = 421;
const RESET_CONTENT = 205;

/** A request of these without a body says so (RFC 9110, section 8.6). */
const EXPECTS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Events that go on and on. Those that say how long they are, or have no body, are an answer like any other. */
function isEventStream({ fields, length }: AnswerHead, { head }: Exchange): boolean {
  // Its type first: of nearly all answers it says enough.
  if (!/^text\/event-stream\b/i.test(fieldOf(fields, 'content-type') ?? '')) return false;
  return head.method !== 'HEAD' && length === null;
}

type Framed = Pick<CellRequest, 'chunked' | 'length' | 'upgrade'>;

/** Takes a cell's answer from its connection and gives it to the client as it comes. */
export class Attempt implements Sending {
  readonly delivery: Delivery;
  readonly served: Served;
  protected readonly exchange: Exchange;
  readonly #events: AttemptEvents;
  readonly #deadline: number;
  #connection: CellConnection | null = null;
  #written = false;
  #headWritten = false;
  #finished = false;
  #over = false;
  /** What the cell sends as a body goes no further. */
  #bodyless = false;
  /** The client did not keep up at some time. */
  #waited = false;
  #misdirected: Buffer[] | null = null;
  #enough: NodeJS.Timeout | null = null;

  /** `deadline`: when nobody waits for the answer any more, in epoch milliseconds of the cell's clock. */
  constructor(delivery: Delivery, served: Served, deadline: number, events: AttemptEvents) {
    this.delivery = delivery;
    this.served = served;
    this.exchange = delivery.exchange;
    this.#deadline = deadline;
    this.#events = events;
  }

  /** Whether the client has got the head of this cell's answer. */
  get answering(): boolean {
    return this.#headWritten;
  }

  /** Whether bytes of the request may have reached the cell. */
  get written(): boolean {
    return this.#written;
  }

  /** Whether the cell has no more to do with it. */
  get over(): boolean {
    return this.#over;
  }

  /** Sends the request; how it goes is told to the events. `once`: the connection carries no other one. `host`: the cell's. */
  sendRequest(connection: CellConnection, host: string, body: BodySource | null, once: boolean): void {
    const { exchange } = this;
    const { head } = exchange;
    const declared = headerOf(head, 'content-length');
    const chunked = body !== null && declared === null;
    exchange.inviteBody();
    let framing = once ? 'connection: close\r\n' : '';
    if (chunked) framing += 'transfer-encoding: chunked\r\n';
    else if (declared === null && EXPECTS_BODY.has(head.method)) framing += 'content-length: 0\r\n';
    const length = declared === null ? null : Number(declared);
    this.send(connection, { framing, host, chunked, length, upgrade: false }, body);
  }

  protected send(
    connection: CellConnection,
    { framing, host, ...framed }: { framing: string; host: string } & Framed,
    body: BodySource | null,
  ): void {
    const { head, tenant, requestId, timeoutMs } = this.exchange;
    const { method, target } = head;
    const fields = requestFields({ head, tenant, choice: this.served, requestId, deadline: this.#deadline });
    const named = head.host === '' ? host : head.host;
    const text = `${method} ${target} HTTP/1.1\r\nhost: ${named}\r\n${framing}${fields}\r\n`;
    this.#connection = connection;
    connection.send({ method, head: text, timeoutMs, ...framed }, body, this);
  }

  /** Ends the sending without a word to anybody: the client has left, or the request goes another way. */
  cancel(): void {
    if (this.#finished) return;
    this.#finish();
    this.#connection?.abort();
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
    this.#events.answered(this, status);
    this.exchange.answering(status);
  }

  /** Tells that this answer has no end of its own. False: it must not go on. */
  protected streams(end: Stream['end']): boolean {
    return this.#events.streams(this, end);
  }

  /** A client drops an event that is not whole when its stream ends (WHATWG HTML, section 9.2.6): any place will do. */
  #endEvents(): void {
    this.cancel();
    this.exchange.client.end();
    this.#events.over(this);
  }

  onSent(): void {
    this.#written = true;
  }

  onAnswer(head: AnswerHead): void {
    const { status } = head;
    if (status === MISDIRECTED) {
      this.#misdirected = [];
      this.#enough = setTimeout(() => this.#endMisdirected(), LIMITS.misdirectedMs);
      return;
    }
    const { exchange, served } = this;
    const { client } = exchange;
    exchange.eventStream = isEventStream(head, exchange);
    if (exchange.eventStream && !this.streams(() => this.#endEvents())) {
      this.cancel();
      return;
    }
    this.#bodyless = status === RESET_CONTENT;
    exchange.endless = head.length === null;
    exchange.source = this;
    this.#events.answered(this, status);
    exchange.answering(status);
    this.#headWritten = true;
    client.writeHead(
      status,
      reasonOf(status, head.reason),
      answerFields(head, served.cell, exchange.requestId),
    );
    // An event stream's client waits for the head, not for the first event.
    if (exchange.eventStream) client.flushHead();
  }

  onPart(bytes: Buffer): void {
    if (this.#misdirected !== null) {
      this.#misdirected.push(Buffer.from(bytes));
      const count = this.#misdirected.reduce((sum, { length }) => sum + length, 0);
      if (count > LIMITS.misdirectedBytes) this.#endMisdirected();
      return;
    }
    if (this.#bodyless || this.exchange.client.write(bytes)) return;
    this.#connection?.pause();
    if (!this.#waited) this.exchange.client.onDrain(this.#resume);
    this.#waited = true;
  }

  readonly #resume = (): void => {
    if (!this.#finished) this.#connection?.resume();
  };

  onWhole(last: Buffer | null): void {
    if (this.#finished) return;
    if (this.#misdirected !== null) {
      if (last !== null) this.#misdirected.push(Buffer.from(last));
      this.#tellMisdirected();
      return;
    }
    this.#finish();
    this.exchange.client.end(last === null || this.#bodyless ? undefined : last);
    this.#events.over(this);
  }

  /** Only what has asked for an upgrade is granted one. */
  onSwitched(_: AnswerHead, socket: Socket, _rest: Buffer): void {
    socket.destroy();
  }

  /** Its length was told, and yet nothing has come for as long as a cell may take. */
  stalled(): void {
    this.#connection?.abort();
    this.onFailed(new AnswerTimeout());
  }

  /** What a 421 has said until now counts, whether the cell ends it or not. */
  #endMisdirected(): void {
    if (this.#finished) return;
    this.#connection?.abort();
    this.#tellMisdirected();
  }

  #tellMisdirected(): void {
    this.#finish();
    this.#events.ended(this, {
      kind: 'misdirected',
      epoch: epochIn(Buffer.concat(this.#misdirected ?? [])),
    });
  }

  onFailed(error: Error): void {
    if (this.#finished || error instanceof ClientGone) return;
    if (this.#misdirected !== null) {
      this.#tellMisdirected();
      return;
    }
    this.#finish();
    // What the client has begun to read is cut, never ended as if it were whole.
    if (this.#headWritten) this.exchange.client.cut();
    this.#events.ended(this, { kind: 'failed', failure: cellFailure(error), written: this.written });
  }
}

function epochIn(body: Buffer): number | null {
  try {
    const { epoch } = JSON.parse(body.toString('utf8')) as { epoch?: unknown };
    return typeof epoch === 'number' && Number.isSafeInteger(epoch) && epoch >= 1 ? epoch : null;
  } catch {
    return null;
  }
}
