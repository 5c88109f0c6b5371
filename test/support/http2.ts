// HTTP/2 as a client library speaks it, to a router with a certificate of the test's own.
import { readFileSync } from 'node:fs';
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { makeCertificates, type Certificates } from './certificates.ts';
import { startRouter, type RunningRouter } from './router.ts';

export type Http2Reply = {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** How its stream ended: 0, as it should. */
  resetCode: number;
};

/** The settings with which a router shows these certificates. */
export function tlsEnv({
  certificate,
  key,
}: Pick<Certificates, 'certificate' | 'key'>): Record<string, string> {
  return { TLS_CERT_FILE: certificate, TLS_KEY_FILE: key };
}

/** A router that speaks TLS, with certificates that it makes in `folder`. */
export async function startTlsRouter(
  folder: string,
  fleet: unknown,
  env: Record<string, string> = {},
): Promise<{ router: RunningRouter; files: Certificates; ca: Buffer }> {
  const files = makeCertificates(folder);
  const router = await startRouter(fleet, { ...tlsEnv(files), ...env });
  return { router, files, ca: readFileSync(files.authority) };
}

/** One connection; its errors are told by its streams. */
export function openHttp2({ url }: Pick<RunningRouter, 'url'>, ca: Buffer): ClientHttp2Session {
  const session = connect(url, { ca });
  session.on('error', () => undefined);
  return session;
}

/** Opens a stream of tenant `acme`, unless `headers` say otherwise. It ends with its head unless `endStream` is false. */
export function openStream(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  endStream = true,
): ClientHttp2Stream {
  const stream = session.request({ ':path': path, 'x-tenant-id': 'acme', ...headers }, { endStream });
  stream.on('error', () => undefined);
  return stream;
}

/** Everything that comes back on a stream, once it is closed. */
export async function replyTo(stream: ClientHttp2Stream): Promise<Http2Reply> {
  let headers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on('response', (head) => (headers = head));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once('close', resolve));
  const status = Number(headers[':status'] ?? 0);
  return { status, headers, body: Buffer.concat(chunks), resetCode: stream.rstCode };
}

export async function askHttp2(
  session: ClientHttp2Session,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: Buffer | string,
): Promise<Http2Reply> {
  const stream = openStream(session, path, headers, body === undefined);
  const reply = replyTo(stream);
  if (body !== undefined) stream.end(body);
  return await reply;
}
