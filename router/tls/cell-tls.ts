// TLS towards the cells: by what they are trusted, what the router shows them, and what goes wrong with it.
import { isIP } from 'node:net';
import type { ConnectionOptions, SecureContext, TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Cell } from '../fleet/fleet.ts';
import type { Expiries } from './expiries.ts';
import { tlsFailure, type TlsFailure } from './failures.ts';
import { expiresAtMs, PemFiles } from './pem-files.ts';
import { Peers } from './peers.ts';
import { CA, CERT, check, contextOf, nameFault, pathsOf, type FileConfig } from './trust.ts';

export class CellTls {
  readonly #files: PemFiles<string>;
  readonly #expiries: Expiries;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  /** Origin → cell, of the fleet in force: what the metrics may name. */
  readonly #cells = new Map<string, string>();
  readonly #failures = new Map<string, Map<TlsFailure, number>>();
  readonly #peers = new Peers(() => this.#tell());
  #context: SecureContext | null = null;

  /** Throws `PemError` when a file can not be used. Without any: the system's authorities, and no client certificate. */
  constructor(config: FileConfig, expiries: Expiries, log: Logger) {
    this.#expiries = expiries;
    this.#log = log;
    this.#files = new PemFiles(pathsOf(config), check, log);
    this.#tellExpiries();
    this.#files.onChange(() => {
      this.#context = null;
      this.#tellExpiries();
      this.#tell();
    });
  }

  /** The cells of the fleet in force. */
  setFleet(cells: ReadonlyMap<string, Cell>): void {
    const now = new Map([...cells.values()].map(({ id, origin }) => [origin, id]));
    for (const [origin, cell] of this.#cells) {
      if (now.get(origin) === cell) continue;
      this.#cells.delete(origin);
      this.#peers.forget(origin);
      this.#expiries.forget('cell-peer', cell);
      if (!cells.has(cell)) this.#failures.delete(cell);
    }
    for (const [origin, cell] of now) this.#cells.set(origin, cell);
  }

  /**
   * How to connect to this origin now, for `tls.connect`, where host, port and lookup belong beside it; null: by plain
   * `http:`. Not to be kept, and no session with it: a resumed one is not checked against the authorities again.
   */
  optionsFor(origin: string): ConnectionOptions | null {
    const { protocol, hostname } = new URL(origin);
    if (protocol !== 'https:') return null;
    const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    this.#context ??= contextOf(this.#files.content, this.#log);
    return {
      secureContext: this.#context,
      rejectUnauthorized: true,
      // An address is no server name (RFC 6066, section 3); its certificate names it all the same.
      servername: isIP(host) === 0 ? host : '',
      checkServerIdentity: (_, certificate) => nameFault(host, certificate),
      ALPNProtocols: ['http/1.1'],
    };
  }

  /** To be told of each connection by `optionsFor`, before it is made: what the cell shows, and why it fails. */
  observe(origin: string, socket: TLSSocket): void {
    let endsAtMs: number | null = null;
    // Before the check of what was shown, which ends the connection where it is wrong.
    socket.prependOnceListener('secure', () => {
      endsAtMs = Date.parse(socket.getPeerX509Certificate()?.validTo ?? '');
      const cell = this.#cells.get(origin);
      if (cell !== undefined && Number.isFinite(endsAtMs)) this.#expiries.set('cell-peer', cell, endsAtMs);
    });
    socket.once('secureConnect', () => {
      if (endsAtMs !== null && this.#cells.has(origin)) this.#peers.connected(origin, endsAtMs);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => this.#failed(origin, tlsFailure(error.code)));
  }

  /**
   * Called when kept connections are to be made anew: the files have changed, or a cell's certificate has ended meanwhile.
   * Answers what ends that.
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Connections that failed by TLS, by cell and reason, since the start. */
  *failures(): Generator<{ cell: string; reason: TlsFailure; count: number }> {
    for (const [cell, reasons] of this.#failures)
      for (const [reason, count] of reasons) yield { cell, reason, count };
  }

  /** Whether the files on disk do not fit, and what they held before goes on. */
  get filesRefused(): boolean {
    return this.#files.refused;
  }

  watch(): void {
    this.#files.watch();
  }

  unwatch(): void {
    this.#files.unwatch();
  }

  #failed(origin: string, reason: TlsFailure | null): void {
    const cell = this.#cells.get(origin);
    if (cell === undefined || reason === null) return;
    const reasons = this.#failures.get(cell) ?? new Map<TlsFailure, number>();
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    this.#failures.set(cell, reasons);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #tellExpiries(): void {
    const { [CA]: ca, [CERT]: certificate } = this.#files.content;
    if (ca !== undefined) this.#expiries.set('cell-ca', null, expiresAtMs(ca));
    if (certificate !== undefined) this.#expiries.set('cell-client', null, expiresAtMs(certificate));
  }
}
