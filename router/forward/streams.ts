// What cells serve without an end of its own, by home: tunnels and streams of server-sent events, so that they can be ended.
import type { Exchange } from '../exchange.ts';

/** Why a tunnel is closed, in its client's words (RFC 6455, section 7.4.1, and IANA's registry behind it). */
export const GOING_AWAY = 1001;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;

export type Stream = {
  readonly cell: string;
  /** Of requests without one: ''. */
  readonly tenant: string;
  /** Ends it so that its client knows it was meant; `code` is what a WebSocket is told. */
  end(code: number): void;
};

export class Streams {
  readonly #byHome = new Map<string, Set<Stream>>();
  #closing = false;

  /** Remembers a stream of one of `home`'s tenants for as long as its exchange lasts. */
  add(exchange: Exchange, home: string, stream: Stream): void {
    const streams = this.#byHome.get(home) ?? new Set();
    this.#byHome.set(home, streams.add(stream));
    exchange.onEnd(() => {
      streams.delete(stream);
      if (streams.size === 0 && this.#byHome.get(home) === streams) this.#byHome.delete(home);
    });
    if (this.#closing) stream.end(SERVICE_RESTART);
  }

  /** Ends what `home`'s tenants have open in any cell but `target`: it serves them now, and their clients come back to it. */
  endElsewhere(home: string, target: string): void {
    for (const stream of this.#byHome.get(home) ?? []) {
      if (stream.cell !== target) stream.end(SERVICE_RESTART);
    }
  }

  /** Ends what this tenant has open: it is refused from now on. */
  endOf(tenant: string): void {
    for (const streams of this.#byHome.values()) {
      for (const stream of streams) if (stream.tenant === tenant) stream.end(TRY_AGAIN_LATER);
    }
  }

  /** This router stops: ends all of them, and whatever is still granted from now on. */
  close(): void {
    this.#closing = true;
    for (const streams of this.#byHome.values()) {
      for (const stream of streams) stream.end(SERVICE_RESTART);
    }
  }
}
