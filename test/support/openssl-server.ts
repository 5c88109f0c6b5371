// A TLS server that is OpenSSL's own: it tells by an alert that it wants a client certificate, where Node's only closes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Issued } from './certificates.ts';
import { freePort } from './ports.ts';
import { until } from './wait.ts';

export type OpensslServer = { origin: string; close(): Promise<void> };

/** Serves nobody without a certificate by `clients`, the path of an authority's own. */
export async function startOpensslServer(
  { certificate, key }: Issued,
  clients: string,
): Promise<OpensslServer> {
  const port = await freePort();
  const shown = ['-cert', certificate, '-key', key, '-accept', `127.0.0.1:${port}`];
  const asked = ['-Verify', '1', '-verify_return_error', '-CAfile', clients];
  const child = spawn('openssl', ['s_server', ...shown, ...asked, '-quiet'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(child, 'exit');
  await until('openssl listens', async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    return true;
  });
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  return { origin: `https://127.0.0.1:${port}`, close };
}
