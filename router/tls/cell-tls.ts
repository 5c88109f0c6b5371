// TLS towards the cells: by what they are trusted, what the router shows them, and what goes wrong with it.
import { isIP } from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type ConnectionOptions,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Cell } from '../fleet/fleet.ts';
import type { Expiries } from './expiries.ts';
import { tlsFailure, type TlsFailure } from './failures.ts';
import { expiresAtMs, PemError, PemFiles } from './pem-files.ts';
import { bundleFaults, pairFaults } from './pem.ts';
import { Peers } from './peers.ts';

const CA = 'CELL_TLS_CA_FILE';
const CERT = 'CELL_TLS_CERT_FILE';
const KEY = 'CELL_TLS_KEY_FILE';

type FileConfig = Pick<Config, typeof CA | typeof CERT | typeof KEY>;
type Content = Record<string, Buffer>;

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
    const paths: Record<string, string> = {};
    for (const name of [CA, CERT, KEY] as const) {
      const path = config[name];
      if (path !== undefined) paths[name] = path;
    }
    this.#expiries = expiries;
    this.#log = log;
    this.#files = new PemFiles(paths, check, log);
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

function check(content: Content): void {
  const faults = [
    ...(CA in content ? bundleFaults<string>(content, CA) : []),
    ...(CERT in content ? pairFaults<string>(content, CERT, KEY) : []),
  ];
  if (faults.length > 0) throw new PemError(faults);
  try {
    secure(content, content[CA] ?? []);
  } catch {
    throw new PemError(
      Object.keys(content).map((path) => ({ path, problem: 'can not be used for TLS (too weak a key?)' })),
    );
  }
}

function contextOf(content: Content, log: Logger): SecureContext {
  const { [CA]: ca } = content;
  if (ca !== undefined) return secure(content, ca);
  const roots = getCACertificates('system');
  if (roots.length === 0) log.warn(`this system trusts no authority: no cell is trusted without ${CA}`);
  return secure(content, roots);
}

function secure({ [CERT]: cert, [KEY]: key }: Content, ca: Buffer | string[]): SecureContext {
  return createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' });
}

/** A name counts where the certificate lists it as such (RFC 9525, section 6.3): its subject is no place for names. */
function nameFault(host: string, certificate: PeerCertificate): Error | undefined {
  return checkServerIdentity(host, { ...certificate, subject: { ...certificate.subject, CN: '' } });
}
