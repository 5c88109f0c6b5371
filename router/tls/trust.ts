// By what the cells are trusted and what they are shown: from files, checked, to what a connection is made with.
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { PemError } from './pem-files.ts';
import { bundleFaults, pairFaults } from './pem.ts';

export const CA = 'CELL_TLS_CA_FILE';
export const CERT = 'CELL_TLS_CERT_FILE';
const KEY = 'CELL_TLS_KEY_FILE';

export type FileConfig = Pick<Config, typeof CA | typeof CERT | typeof KEY>;

/** What the files hold that there are, by variable. */
type Content = Record<string, Buffer>;

/** The files that there are, by variable. */
export function pathsOf(config: FileConfig): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const name of [CA, CERT, KEY] as const) {
    const path = config[name];
    if (path !== undefined) paths[name] = path;
  }
  return paths;
}

/** Throws `PemError` with each file that can not be used. */
export function check(content: Content): void {
  const faults = [
    ...(CA in content ? bundleFaults<string>(content, CA) : []),
    ...(CERT in content ? pairFaults<string>(content, CERT, KEY) : []),
  ];
  if (faults.length > 0) throw new PemError(faults);
  try {
    secure(content, content[CA] ?? []);
  } catch {
    const problem = 'can not be used for TLS (too weak a key?)';
    throw new PemError(Object.keys(content).map((path) => ({ path, problem })));
  }
}

/** Without a file of authorities those of the system count, which are read then. */
export function contextOf(content: Content, log: Logger): SecureContext {
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
export function nameFault(host: string, certificate: PeerCertificate): Error | undefined {
  return checkServerIdentity(host, { ...certificate, subject: { ...certificate.subject, CN: '' } });
}
