// A certificate authority of a test's own, and what it has signed: nothing outside the test trusts it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Paths of PEM files. */
export type Issued = { certificate: string; key: string };
export type Certificates = Issued & { authority: string };

export type Wanted = {
  /** Default: `IP:127.0.0.1`. '': none, only the subject. */
  names?: string;
  /** Of the certificate, from now on; below 0: it has expired. */
  days?: number;
};

export type Authority = {
  folder: string;
  /** Path of its own certificate. */
  certificate: string;
  issue(name: string, wanted?: Wanted): Issued;
};

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A folder for a test's PEM files, which goes with the test. */
export function pemFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes an authority whose files are in `folder`. Needs `openssl` on the PATH. */
export function makeAuthority(folder: string, name = 'ca', days = 2): Authority {
  const path = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  };
  const own = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`];
  openssl('req', '-x509', ...KEY, ...own, '-days', String(days));
  const issue = (leaf: string, { names = 'IP:127.0.0.1', days: leafDays = 2 }: Wanted = {}): Issued => {
    const subject = ['-keyout', `${leaf}.key`, '-out', `${leaf}.csr`, '-subj', `/CN=${leaf}`];
    openssl('req', ...KEY, ...subject);
    writeFileSync(path(`${leaf}.ext`), names === '' ? '' : `subjectAltName=${names}\n`);
    const signed = ['-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial'];
    const made = ['-extfile', `${leaf}.ext`, '-out', `${leaf}.pem`, '-days', String(leafDays)];
    openssl('x509', '-req', '-in', `${leaf}.csr`, ...signed, ...made);
    return { certificate: path(`${leaf}.pem`), key: path(`${leaf}.key`) };
  };
  return { folder, certificate: path(`${name}.pem`), issue };
}

/** The same with one certificate, for servers on 127.0.0.1. */
export function makeCertificates(folder: string): Certificates {
  const authority = makeAuthority(folder);
  return { authority: authority.certificate, ...authority.issue('server') };
}
