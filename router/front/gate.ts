// Where the fronts of all protocols hand their requests in.
import type { Client } from '../client.ts';
import type { Exchange } from '../exchange.ts';
import type { RequestHead } from '../request-head.ts';

export type Gate = {
  /** From now on every answer is to be the last one of its connection. */
  readonly draining: boolean;
  /** A request has come; it is to be served, or refused, next. */
  open(client: Client, head: RequestHead, kind: 'request' | 'tunnel'): Exchange;
  /** Takes it through the steps. `early`: what came behind the head of an upgrade. */
  serve(exchange: Exchange, early?: Buffer): void;
};
