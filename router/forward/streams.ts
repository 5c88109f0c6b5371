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
  /**
   * Ends it so that its client knows it was meant; `code` is what a WebSocket is told. `lingerMs`: how long that one may
   * take to answer, if not for as long as usual.
   */
  end(code: number, lingerMs?: number): void;
};

/** How streams end that are not ended at once. */
export type Spread = {
  /** Each at a random moment within this time: their clients all come back. */
  spreadMs: number;
  lingerMs: number;
};

export class Streams {
  readonly #byHome = new Map<string, Set<Stream>>();
  /** Those whose end is due at a moment of its own. */
  readonly #ending = new Map<Stream, NodeJS.Timeout>();
  #closing = false;

  /** Remembers a stream of one of `home`'s tenants for as long as its exchange lasts. */
  add(exchange: Exchange, home: string, stream: Stream): void {
    const streams = this.#byHome.get(home) ?? new Set();
    this.#byHome.set(home, streams.add(stream));
    exchange.onEnd(() => {
      clearTimeout(this.#ending.get(stream));
      this.#ending.delete(stream);
      streams.delete(stream);
      if (streams.size === 0 && this.#byHome.get(home) === streams) this.#byHome.delete(home);
    });
    if (this.#closing) stream.end(SERVICE_RESTART);
  }

  /** The homes whose tenants have any. */
  get homes(): string[] {
    return [...this.#byHome.keys()];
  }

  /** Ends those of `home`'s tenants that are `lost` to the cell they are in: their clients come back to another one. */
  endWhere(home: string, lost: (stream: Stream) => boolean, spread: Spread | null = null): void {
    for (const stream of Array.from(this.#byHome.get(home) ?? [])) {
      if (!lost(stream)) continue;
      if (spread === null) stream.end(SERVICE_RESTART);
      else this.endSoon(stream, spread);
    }
  }

  /** Ends what this tenant has open: it is refused from now on. */
  endOf(tenant: string): void {
    for (const streams of this.#byHome.values()) {
      for (const stream of streams) if (stream.tenant === tenant) stream.end(TRY_AGAIN_LATER);
    }
  }

  /** Ends one of them within the spread. */
  endSoon(stream: Stream, { spreadMs, lingerMs }: Spread): void {
    if (this.#ending.has(stream)) return;
    const end = (): void => stream.end(SERVICE_RESTART, lingerMs);
    this.#ending.set(stream, setTimeout(end, Math.random() * spreadMs));
  }

  /** This router stops: ends all of them, and whatever is still granted from now on. */
  close(): void {
    this.#closing = true;
    for (const streams of this.#byHome.values()) {
      for (const stream of streams) stream.end(SERVICE_RESTART);
    }
  }
}
