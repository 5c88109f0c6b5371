// The certificate that clients are shown: from its files to the TLS server, at the start and whenever they change.
import { constants, randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';
import type { Config } from '../config.ts';
import type { Expiries } from '../tls/expiries.ts';
import { expiresAtMs, PemError, PemFiles } from '../tls/pem-files.ts';
import { pairFaults } from '../tls/pem.ts';

type PublicFiles = Pick<Config, FileName>;
type FileName = 'TLS_CERT_FILE' | 'TLS_KEY_FILE';

/**
 * TLS 1.3's own, and of TLS 1.2 what has forward secrecy and authenticated encryption (RFC 9325, section 4.2): HTTP/2 allows no
 * other (RFC 9113, appendix A). AES-128 first: it is enough, and cheaper.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Session tickets are sealed with a key that lives no longer than this: who steals one opens no older TLS 1.2 session. */
const TICKET_KEY_MS = 12 * 3_600_000;
const TICKET_KEY_BYTES = 48;

export class PublicCertificate {
  readonly #files: PemFiles<FileName>;
  readonly #expiries: Expiries;
  #rotation: NodeJS.Timeout | null = null;

  /** The one that the settings name, or null. Throws `PemError` when its files can not be used. */
  static of(config: PublicFiles, expiries: Expiries, log: Logger): PublicCertificate | null {
    const { TLS_CERT_FILE, TLS_KEY_FILE } = config;
    if (TLS_CERT_FILE === undefined || TLS_KEY_FILE === undefined) return null;
    return new PublicCertificate({ TLS_CERT_FILE, TLS_KEY_FILE }, expiries, log);
  }

  private constructor(paths: Record<FileName, string>, expiries: Expiries, log: Logger) {
    this.#expiries = expiries;
    this.#files = new PemFiles(paths, check, log);
    this.#tellExpiry();
  }

  /** Whether the files on disk do not fit, and older ones go on. */
  get refused(): boolean {
    return this.#files.refused;
  }

  /** What a TLS server is made of. */
  get context(): SecureContextOptions {
    return contextOf(this.#files.content);
  }

  /** From now on the server shows what the files hold. Only handshakes to come see a change; connections go on. */
  keepFresh(server: Server): void {
    this.#files.onChange(() => {
      this.#tellExpiry();
      // With ticket keys of its own: a session that was begun with the old certificate is not resumed.
      server.setSecureContext(this.context);
    });
    this.#files.watch();
    this.#rotation = setInterval(
      () => server.setTicketKeys(randomBytes(TICKET_KEY_BYTES)),
      TICKET_KEY_MS,
    ).unref();
  }

  stop(): void {
    this.#files.unwatch();
    if (this.#rotation !== null) clearInterval(this.#rotation);
  }

  #tellExpiry(): void {
    this.#expiries.set('public', null, expiresAtMs(this.#files.content.TLS_CERT_FILE));
  }
}

function contextOf(content: Record<FileName, Buffer>): SecureContextOptions {
  return {
    cert: content.TLS_CERT_FILE,
    key: content.TLS_KEY_FILE,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** Throws `PemError` where they are no pair, or OpenSSL does not take it: a key that is too short, say. */
function check(content: Record<FileName, Buffer>): void {
  const faults = pairFaults(content, 'TLS_CERT_FILE', 'TLS_KEY_FILE');
  if (faults.length > 0) throw new PemError(faults);
  try {
    createSecureContext(contextOf(content));
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new PemError([{ path: 'TLS_CERT_FILE', problem: `can not be used for TLS (${code})` }]);
  }
}
