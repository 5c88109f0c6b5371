// Reads the answers on one connection to a cell, piece by piece, and tells where each begins and ends (RFC 9112). Pure.
import { LIMITS } from '../../limits.ts';
import { fieldOf } from '../../request-head.ts';
import {
  BEGINNING_BYTES,
  isBadBeginning,
  isField,
  isUnsound,
  MalformedAnswer,
  readAnswerHead,
  type AnswerHead,
} from './answer-head.ts';

/** Bytes are lent: they are others' when the call is over. */
export interface AnswerEvents {
  onHead(head: AnswerHead): void;
  onPart(bytes: Buffer): void;
  /** The answer is whole, with this as the last of it. */
  onWhole(last: Buffer | null): void;
  /** The connection has left HTTP with a 101: what follows is `rest`. */
  onSwitched(head: AnswerHead, rest: Buffer): void;
}

/** What the request was: it says whether its answer has a body, and whether it may leave HTTP. */
export type Asked = { method: string; upgrade: boolean };

/** Where the next byte belongs to. `idle`: to nothing, no answer is awaited. */
type Place = 'idle' | 'head' | 'body' | 'size' | 'chunk' | 'behind' | 'trailers' | 'endless';

const HEAD_END = Buffer.from('\r\n\r\n');
const LF = 0x0a;
/** With its extensions (RFC 9112, section 7.1.1), but without blanks among them: parsers do not agree on those. */
const CHUNK_SIZE =
  /^([0-9a-f]{1,13})(?:;[!#$%&'*+.^_`|~\w-]+(?:=(?:[!#$%&'*+.^_`|~\w-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*\r$/i;
/** What could be taken for the end of another body. */
const FRAMING_TRAILER = /^(?:content-length|transfer-encoding):/i;
/** A chunk's size with its extensions, and all trailers, which end here. */
const LINE_MOST_BYTES = 1_024;
const TRAILERS_MOST_BYTES = 16_384;
/** What is made room for at first, where a head comes in pieces. */
const HELD_BYTES = 2_048;

export class AnswerParser {
  readonly #events: AnswerEvents;
  #asked: Asked = { method: 'GET', upgrade: false };
  #place: Place = 'idle';
  /** The beginning of a head whose end has not come yet, and room for more of it. */
  #held: Buffer | null = null;
  #heldBytes = 0;
  /** The heads of interim answers so far: they count with the one that they come before. */
  #interimBytes = 0;
  /** The beginning of a line among chunks. */
  #line = '';
  #trailersBytes = 0;
  /** What is still to come of a body, or of a chunk. */
  #leftBytes = 0;
  #stopped = false;

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  /** Whether no answer is awaited, or under way. */
  get idle(): boolean {
    return this.#place === 'idle';
  }

  /** A request is being sent: its answer comes next. */
  begin(asked: Asked): void {
    this.#asked = asked;
    this.#interimBytes = 0;
    this.#place = 'head';
  }

  /** Nothing more is told, of what was fed already neither. */
  stop(): void {
    this.#stopped = true;
  }

  /** Reads `bytes` from `from` up to `to`. False: there were some that belong to no answer. Throws `MalformedAnswer`. */
  feed(bytes: Buffer, from: number, to: number): boolean {
    let at = from;
    while (at < to && !this.#stopped) {
      if (this.#place === 'idle') return false;
      at = this.#read(bytes, at, to);
    }
    return true;
  }

  /** The cell has ended the connection. True: that was the end of an answer. */
  end(): boolean {
    if (this.#place !== 'endless') return false;
    this.#whole(null);
    return true;
  }

  /** Reads on in the place that it is in; answers how far it came. */
  #read(bytes: Buffer, at: number, to: number): number {
    switch (this.#place) {
      case 'head':
        return this.#readHead(bytes, at, to);
      case 'body':
        return this.#readBody(bytes, at, to);
      case 'chunk':
        return this.#readChunk(bytes, at, to);
      case 'endless':
        this.#events.onPart(bytes.subarray(at, to));
        return to;
      default:
        return this.#readLine(bytes, at, to);
    }
  }

  #readHead(bytes: Buffer, at: number, to: number): number {
    if (this.#held !== null) return this.#readHeld(bytes, at, to);
    const end = bytes.indexOf(HEAD_END, at);
    if (end === -1 || end + HEAD_END.length > to) return this.#readHeld(bytes, at, to);
    this.#limitHead(end - at);
    return this.#begun(readAnswerHead(bytes, at, end), end - at, bytes, end + HEAD_END.length, to);
  }

  /** A head that comes in pieces, however small: each byte is copied, and looked at, once. */
  #readHeld(bytes: Buffer, at: number, to: number): number {
    const before = this.#heldBytes;
    const held = this.#hold(bytes, at, to);
    const seam = Math.max(0, before + 1 - HEAD_END.length);
    const found = held.indexOf(HEAD_END, seam);
    if (found === -1) {
      this.#limitHead(held.length);
      const isNew = held.toString('latin1', before < BEGINNING_BYTES ? 0 : before - 1);
      if (before < BEGINNING_BYTES ? isBadBeginning(isNew) : isUnsound(isNew)) throw new MalformedAnswer();
      return to;
    }
    this.#held = null;
    this.#heldBytes = 0;
    this.#limitHead(found);
    const head = readAnswerHead(held, 0, found);
    return this.#begun(head, found, bytes, at + found + HEAD_END.length - before, to);
  }

  /** Adds what has come to what is held; answers all of it. */
  #hold(bytes: Buffer, at: number, to: number): Buffer {
    const needed = this.#heldBytes + to - at;
    let held = this.#held;
    if (held === null || held.length < needed) {
      const room = Buffer.allocUnsafe(Math.max(HELD_BYTES, 2 * needed));
      held?.copy(room, 0, 0, this.#heldBytes);
      held = room;
    }
    bytes.copy(held, this.#heldBytes, at, to);
    this.#held = held;
    this.#heldBytes = needed;
    return held.subarray(0, needed);
  }

  #limitHead(headBytes: number): void {
    if (this.#interimBytes + headBytes > LIMITS.cellHeadBytes) throw new MalformedAnswer();
  }

  /** Answers where the body begins; behind a 101 everything is `rest`. */
  #begun(head: AnswerHead, headBytes: number, bytes: Buffer, next: number, to: number): number {
    const { status, length, chunked } = head;
    if (status === 101) {
      if (!this.#asked.upgrade || !isWebSocket(head)) throw new MalformedAnswer();
      this.#stopped = true;
      this.#events.onSwitched(head, bytes.subarray(next, to));
      return to;
    }
    // Interim answers (100, 103) end here: an HTTP/1.0 client could take one for the answer itself.
    if (status < 200) {
      // One that is the last of its connection comes before nothing.
      if (!head.persistent) throw new MalformedAnswer();
      this.#interimBytes += headBytes + HEAD_END.length;
      return next;
    }
    const empty = status === 204 || status === 304;
    // A cell that tells of a body here may well send one: it would pass for the next answer.
    if (empty && (chunked || (length ?? 0) > 0)) head.persistent = false;
    this.#leftBytes = length ?? 0;
    if (empty || length === 0 || this.#asked.method === 'HEAD') this.#place = 'idle';
    else if (chunked) this.#place = 'size';
    else this.#place = length === null ? 'endless' : 'body';
    this.#events.onHead(head);
    if (this.#place === 'idle' && !this.#stopped) this.#whole(null);
    return next;
  }

  #readBody(bytes: Buffer, at: number, to: number): number {
    const end = Math.min(to, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    const part = bytes.subarray(at, end);
    if (this.#leftBytes > 0) this.#events.onPart(part);
    else this.#whole(part);
    return end;
  }

  #readChunk(bytes: Buffer, at: number, to: number): number {
    const end = Math.min(to, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    if (this.#leftBytes === 0) this.#place = 'behind';
    this.#events.onPart(bytes.subarray(at, end));
    return end;
  }

  #readLine(bytes: Buffer, at: number, to: number): number {
    const end = bytes.indexOf(LF, at);
    const whole = end !== -1 && end < to;
    this.#line += bytes.toString('latin1', at, whole ? end : to);
    if (this.#line.length > LINE_MOST_BYTES) throw new MalformedAnswer();
    if (!whole) return to;
    const line = this.#line;
    this.#line = '';
    if (this.#place === 'size') this.#takeSize(line);
    else if (this.#place === 'behind') this.#takeEndOfChunk(line);
    else this.#takeTrailer(line);
    return end + 1;
  }

  #takeSize(line: string): void {
    const size = CHUNK_SIZE.exec(line)?.[1];
    if (size === undefined) throw new MalformedAnswer();
    this.#leftBytes = Number.parseInt(size, 16);
    this.#trailersBytes = 0;
    this.#place = this.#leftBytes === 0 ? 'trailers' : 'chunk';
  }

  #takeEndOfChunk(line: string): void {
    if (line !== '\r') throw new MalformedAnswer();
    this.#place = 'size';
  }

  /** Trailers are not passed on, and so need not be understood; but what is none tells of a cell that lost its way. */
  #takeTrailer(line: string): void {
    if (line === '\r') {
      this.#whole(null);
      return;
    }
    this.#trailersBytes += line.length;
    if (!line.endsWith('\r') || this.#trailersBytes > TRAILERS_MOST_BYTES) throw new MalformedAnswer();
    if (!isField(line.slice(0, -1)) || FRAMING_TRAILER.test(line)) throw new MalformedAnswer();
  }

  #whole(last: Buffer | null): void {
    this.#place = 'idle';
    this.#events.onWhole(last);
  }
}

/** RFC 9110, section 7.8: a 101 says what the connection speaks from now on. */
function isWebSocket({ fields }: AnswerHead): boolean {
  return fieldOf(fields, 'upgrade')?.toLowerCase() === 'websocket';
}
