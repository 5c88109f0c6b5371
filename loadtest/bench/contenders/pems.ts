// A certificate for 127.0.0.1 that nobody else trusts, made for one run.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Pems = {
  /** Paths: of the certificate, of its key, and of both in one file, which HAProxy wants. */
  certificate: string;
  key: string;
  both: string;
  /** The certificate's text: it has signed itself. */
  ca: string;
};

/** ECDSA P-256, as most certificates are by now. */
export function makePems(openssl: string, folder: string): Pems {
  const certificate = join(folder, 'tls.pem');
  const key = join(folder, 'tls.key');
  const both = join(folder, 'tls-both.pem');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const named = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  execFileSync(openssl, ['req', '-x509', ...curve, '-keyout', key, '-out', certificate, ...named], {
    stdio: 'ignore',
  });
  const ca = readFileSync(certificate, 'utf8');
  writeFileSync(both, `${ca}${readFileSync(key, 'utf8')}`, { mode: 0o600 });
  return { certificate, key, both, ca };
}
