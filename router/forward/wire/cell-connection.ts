// One connection to a cell: writes one request at a time, reads its answer, and says how it went.
import type { Socket } from 'node:net';
import type { BodySink, BodySource } from '../body-source.ts';
import { AnswerTimeout, BodyMismatch, ConnectionClosed, ConnectTimeout } from '../failure.ts';
import { MalformedAnswer, type AnswerHead } from './answer-head.ts';
import { AnswerParser, type AnswerEvents, type Asked } from './answer-parser.ts';

/** A request as it goes to the cell. */
export type CellRequest = Asked & {
  /** Its head, with the empty line, as Latin-1. */
  head: string;
  /** Its body has no length: it goes in chunks. */
  chunked: boolean;
  /** What its `Content-Length` says, in bytes; null: it has none. */
  length: number | null;
  /** How long the cell may take until the head of its answer, from the last of the request that was written. */
  timeoutMs: number;
};

/** What becomes of a request. Bytes are lent: they are others' when the call is over. */
export interface Sending {
  /** From now on bytes of it may reach the cell. */
  onSent(): void;
  onAnswer(head: AnswerHead): void;
  onPart(bytes: Buffer): void;
  /** The answer is whole, with this as the last of it. */
  onWhole(last: Buffer | null): void;
  /** The cell has granted an upgrade: the socket is the caller's, with `rest` read from it already. */
  onSwitched(head: AnswerHead, socket: Socket, rest: Buffer): void;
  /** There is no answer, or no more of it. */
  onFailed(error: Error): void;
}

/** Opens the socket; what it reads is told to `read`, if not `null`, from one buffer that all connections share. */
export type Dial = (read: ((bytes: Buffer, length: number) => void) | null) => Socket;

export type ConnectionOptions = {
  dial: Dial;
  /** The event by which the socket tells that it is open. */
  opened: 'connect' | 'secureConnect';
  connectTimeoutMs: number;
  /** Its socket will be handed over (`onSwitched`). */
  tunnel: boolean;
  /** It has answered, and carries nothing. `persistent`: it may carry another request. */
  onFree: (connection: CellConnection, persistent: boolean) => void;
  onClosed: (connection: CellConnection) => void;
};

/** Up to this a part of a body goes with what stands before it, in one write of one string. */
const JOINED_MOST_BYTES = 16_384;

export class CellConnection implements AnswerEvents, BodySink {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #parser = new AnswerParser(this);
  readonly #connectClock: NodeJS.Timeout;
  #open = false;
  #request: CellRequest | null = null;
  #sending: Sending | null = null;
  #body: BodySource | null = null;
  /** Not all of the body has been written. */
  #bodyOpen = false;
  /** What of its length has not been. */
  #leftBytes = 0;
  /** The head of the request, while it waits for the first of its body to go with it. */
  #head: string | null = null;
  #persistent = false;
  #paused = false;
  #awaitsHead = false;
  #clock: NodeJS.Timeout | null = null;
  #clockMs = 0;
  /** The clock has run out, and nothing has moved since. */
  #late = false;
  #failure: Error | null = null;
  /** Without a request since then, in `performance.now()` milliseconds. */
  freeSinceMs = 0;
  /** After how long without one the cell closes it, as it said last. */
  idleMs = Number.POSITIVE_INFINITY;

  constructor(options: ConnectionOptions) {
    const { dial, opened, connectTimeoutMs, tunnel } = options;
    this.#options = options;
    this.#socket = dial(tunnel ? null : (bytes, length) => this.#read(bytes, length));
    this.#connectClock = setTimeout(this.#onConnectClock, connectTimeoutMs);
    this.#socket
      .setNoDelay(true)
      .once(opened, () => this.#opened())
      .on('drain', this.#onDrain)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose);
    if (tunnel) this.#socket.on('data', this.#onData);
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends a request; it must be free, or not have had one. */
  send(request: CellRequest, body: BodySource | null, sending: Sending): void {
    this.#request = request;
    this.#body = body;
    this.#sending = sending;
    if (this.#open) this.#write(request);
  }

  /** The caller wants no more of it: nothing more is told. */
  abort(): void {
    this.#forget();
    this.close();
  }

  close(): void {
    this.#parser.stop();
    this.#socket.destroy();
  }

  /** Its caller does not keep up. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  #opened(): void {
    clearTimeout(this.#connectClock);
    this.#open = true;
    if (this.#request !== null) this.#write(this.#request);
  }

  #write(request: CellRequest): void {
    const body = this.#body;
    this.#sending?.onSent();
    if (this.#sending === null) return;
    this.#parser.begin(request);
    this.#awaitsHead = true;
    this.#restartClock(request.timeoutMs);
    this.#leftBytes = request.length ?? 0;
    if (body === null) {
      if (this.#leftBytes > 0) this.#fail(new BodyMismatch());
      else this.#socket.write(request.head, 'latin1');
      return;
    }
    this.#head = request.head;
    this.#bodyOpen = true;
    body.sendTo(this);
    // What has come of it is read in this turn; where there is nothing, the head goes without.
    if (this.#head !== null) setImmediate(this.#writeHead);
  }

  readonly #writeHead = (): void => {
    const head = this.#head;
    if (head === null || this.closed) return;
    this.#head = null;
    this.#socket.write(head, 'latin1');
  };

  part(chunk: Buffer): boolean {
    const chunked = this.#request?.chunked === true;
    this.#leftBytes -= chunk.length;
    // What is more than it said would be the beginning of the next request.
    if (!chunked && this.#leftBytes < 0) {
      this.#fail(new BodyMismatch());
      return false;
    }
    const before = (this.#head ?? '') + (chunked ? `${chunk.length.toString(16)}\r\n` : '');
    const behind = chunked ? '\r\n' : '';
    this.#head = null;
    if (before === '') this.#socket.write(chunk);
    else if (chunk.length <= JOINED_MOST_BYTES) {
      this.#socket.write(before + chunk.toString('latin1') + behind, 'latin1');
    } else {
      this.#socket.cork();
      this.#socket.write(before, 'latin1');
      this.#socket.write(chunk);
      if (chunked) this.#socket.write(behind, 'latin1');
      this.#socket.uncork();
    }
    this.#refreshClock();
    return !this.#socket.writableNeedDrain;
  }

  end(): void {
    const chunked = this.#request?.chunked === true;
    if (!chunked && this.#leftBytes !== 0) {
      this.#fail(new BodyMismatch());
      return;
    }
    this.#bodyOpen = false;
    const last = (this.#head ?? '') + (chunked ? '0\r\n\r\n' : '');
    this.#head = null;
    if (last !== '') this.#socket.write(last, 'latin1');
    this.#refreshClock();
  }

  broke(error: Error): void {
    this.#fail(error);
  }

  readonly #onDrain = (): void => this.#body?.resume(this);

  readonly #onData = (bytes: Buffer): void => this.#read(bytes, bytes.length);

  #read(bytes: Buffer, length: number): void {
    try {
      // What no request has asked for might pass for the answer to the next one.
      if (!this.#parser.feed(bytes, 0, length)) this.close();
    } catch (error) {
      // Anything else is a fault of ours: the request ends all the same, and the process says so on stderr.
      if (!(error instanceof MalformedAnswer)) process.emitWarning(error as Error);
      this.#fail(error as Error);
    }
  }

  onHead(head: AnswerHead): void {
    this.#awaitsHead = false;
    this.#persistent = head.persistent;
    if (head.idleMs !== null) this.idleMs = head.idleMs;
    this.#sending?.onAnswer(head);
  }

  onPart(bytes: Buffer): void {
    this.#sending?.onPart(bytes);
  }

  onWhole(last: Buffer | null): void {
    const sending = this.#sending;
    // An answer that came before the request was whole: the rest of it has no place on this connection.
    const persistent = this.#persistent && !this.#bodyOpen && this.#socket.writableLength === 0;
    this.#forget();
    sending?.onWhole(last);
    if (!this.closed) this.#options.onFree(this, persistent);
  }

  onSwitched(head: AnswerHead, rest: Buffer): void {
    const sending = this.#sending;
    this.#forget();
    this.#socket
      .off('data', this.#onData)
      .off('drain', this.#onDrain)
      .off('end', this.#onEnd)
      .off('error', this.#onError);
    sending?.onSwitched(head, this.#socket, rest);
  }

  /** The request is over: nothing of it is told, or written, any more. */
  #forget(): void {
    this.#body?.leave(this);
    this.#body = null;
    this.#bodyOpen = false;
    this.#head = null;
    this.#request = null;
    this.#sending = null;
    this.#awaitsHead = false;
    if (this.#paused) this.resume();
  }

  /** One timer a connection, started again and again: most answers come in time, and then it costs next to nothing. */
  #restartClock(ms: number): void {
    if (this.#clock !== null && this.#clockMs === ms) {
      this.#refreshClock();
      return;
    }
    if (this.#clock !== null) clearTimeout(this.#clock);
    this.#late = false;
    this.#clockMs = ms;
    this.#clock = setTimeout(this.#onClock, ms).unref();
  }

  #refreshClock(): void {
    this.#late = false;
    this.#clock?.refresh();
  }

  /** What is late may be this process: whatever has come in time is read before anybody is blamed. */
  readonly #onClock = (): void => {
    this.#late = true;
    setImmediate(this.#onLate);
  };

  readonly #onLate = (): void => {
    if (!this.#late || !this.#awaitsHead) return;
    // A client that takes its time with its body is not the cell's fault: its next part starts the clock again.
    if (!this.#bodyOpen || this.#socket.writableNeedDrain) this.#fail(new AnswerTimeout());
  };

  readonly #onConnectClock = (): void => {
    setImmediate(() => {
      if (!this.#open && !this.closed) this.#fail(new ConnectTimeout());
    });
  };

  #fail(error: Error): void {
    this.#failure ??= error;
    this.close();
    this.#tellFailure();
  }

  /** Told at once: a caller that sends again must not wait for the socket to be torn down. */
  #tellFailure(): void {
    const sending = this.#sending;
    this.#forget();
    sending?.onFailed(this.#failure ?? new ConnectionClosed());
  }

  readonly #onEnd = (): void => {
    this.#persistent = false;
    if (!this.#parser.end()) this.#fail(new ConnectionClosed());
  };

  readonly #onError = (error: Error): void => {
    this.#failure ??= error;
    // An alert of TLS leaves the socket open: its end, which follows, would hide why.
    this.close();
  };

  readonly #onClose = (): void => {
    clearTimeout(this.#connectClock);
    if (this.#clock !== null) clearTimeout(this.#clock);
    this.#tellFailure();
    this.#options.onClosed(this);
  };
}
