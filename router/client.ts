// One client's side of a request, whatever protocol it speaks: what it sends, and what it is told. The steps know no other.
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

export interface Client {
  /** Whether its request carries a body at all. */
  readonly hasBody: boolean;
  /** The request's body as it comes. */
  readonly body: Readable;
  /** Whether all of the request has come. */
  readonly complete: boolean;
  /** No answer reaches it any more: it has left, was cut, or is answered and done. */
  readonly gone: boolean;
  /** Nothing more of the request will come: its way here is cut. */
  readonly severed: boolean;
  /** Whether it has been given the whole answer, though it may not have read it yet. */
  readonly answered: boolean;
  /** What it has sent, was sent, and has not yet taken of that, in bytes. They only tell whether something moves. */
  readonly read: number;
  readonly written: number;
  readonly untaken: number;
  /** The bare connection of an upgrade; null for any other request. */
  readonly socket: Socket | null;

  /** Called once, when nothing more comes from or goes to the client: answered whole, cut, or left. */
  onClose(listener: () => void): void;
  /** Called whenever it keeps up again. */
  onDrain(listener: () => void): void;
  /** It waits for a word before it sends its body (RFC 9110, section 10.1.1). */
  inviteBody(): void;
  /** The head of an answer; it goes with the first of the body. `headers`: names and values in turn. */
  writeHead(status: number, reason: string, headers: string[]): void;
  /** The head goes now. */
  flushHead(): void;
  /** A part of the body. It is lent: what does not go at once is copied. False: the client does not keep up. */
  write(part: Buffer): boolean;
  /** The answer is whole, with this as the last of it; lent, too. */
  end(last?: Buffer | string): void;
  /** The connection is not to be read any further: what follows on it can not be told from what came before. */
  closeAfterwards(): void;
  /** What has begun is cut, never ended as if it were whole. */
  cut(): void;
  /** A reset: the kernel would go on for minutes to deliver what the client does not take. */
  reset(): void;
}
