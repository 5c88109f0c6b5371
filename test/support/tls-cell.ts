// A cell that speaks HTTPS, with a certificate of the test's own authority.
import { readFileSync } from 'node:fs';
import type { Server as SecureServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { Issued } from './certificates.ts';
import { startStubCell, type StubCell, type StubOptions } from './stub-cell.ts';

/** What a server shows. With an authority it serves only those who show a certificate that this one has signed. */
export function showing({ certificate, key }: Issued, clients?: string): TlsOptions {
  const own = { cert: readFileSync(certificate), key: readFileSync(key) };
  return clients === undefined
    ? own
    : { ...own, ca: readFileSync(clients), requestCert: true, rejectUnauthorized: true };
}

/** Starts one that ends with the test. `options.tls` beats what it shows. */
export async function startTlsCell(
  id: string,
  issued: Issued,
  options: StubOptions & { clients?: string } = {},
): Promise<StubCell> {
  const { clients, ...more } = options;
  const cell = await startStubCell(id, { tls: showing(issued, clients), ...more });
  onTestFinished(async () => await cell.close());
  return cell;
}

/** Has it show another certificate from the next connection on. */
export function nowShows(cell: StubCell, issued: Issued): void {
  (cell.server as SecureServer).setSecureContext(showing(issued));
}
