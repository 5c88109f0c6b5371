// A new TLS 1.3 connection for each request, each going on with the session of the one before it: a process of its own.
import { connect, type TLSSocket } from 'node:tls';
import { loadedLine } from './speed-driver.ts';
import { HttpConnection } from './speed-exchange.ts';
import { percentile } from './statistics.ts';
import { answerTo, requestBytes, tenantOf, WORKLOADS, type Tenants } from './speed-workloads.ts';

/** Its only argument, as JSON. `lanes`: connections at once. */
export type TlsPlan = { port: number; ca: string; tenants: Tenants; windowMs: number; lanes: number };

if (import.meta.main) await run(JSON.parse(process.argv[2] ?? '') as TlsPlan);

async function run(plan: TlsPlan): Promise<void> {
  const { tenants, windowMs, lanes } = plan;
  const tookMs: number[] = [];
  let [sent, resumed, failed] = [0, 0, 0];
  const startMs = performance.now();
  const lane = async (): Promise<void> => {
    let session: Buffer | undefined;
    while (performance.now() - startMs < windowMs) {
      const tenant = tenantOf(tenants.first + (sent % tenants.count));
      sent += 1;
      const sentMs = performance.now();
      try {
        const visit = await visitOnce(plan, tenant, session);
        session = visit.session ?? session;
        if (visit.resumed) resumed += 1;
        if (!visit.right) failed += 1;
      } catch {
        failed += 1;
      }
      tookMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const durationMs = performance.now() - startMs;
  const [p50Ms, p99Ms] = [percentile(tookMs, 0.5), percentile(tookMs, 0.99)];
  process.stdout.write(
    loadedLine({ requests: sent, durationMs, p50Ms, p99Ms, resumed, failed, compared: sent }),
  );
}

type Visit = { session: Buffer | null; resumed: boolean; right: boolean };

async function visitOnce({ port, ca }: TlsPlan, tenant: string, session?: Buffer): Promise<Visit> {
  const known = session === undefined ? {} : { session };
  const socket = connect({ port, host: '127.0.0.1', ca, minVersion: 'TLSv1.3', ...known });
  let next: Buffer | null = null;
  // A server sends its ticket behind the handshake, before the answer.
  socket.on('session', (ticket: Buffer) => (next = ticket));
  const connection = new HttpConnection(socket);
  try {
    await secured(socket);
    const request = requestBytes(WORKLOADS.get, `127.0.0.1:${port}`, tenant);
    const { status, body } = await connection.exchange(request);
    const right = status === 200 && body.equals(Buffer.from(answerTo(WORKLOADS.get, tenant)));
    return { session: next, resumed: socket.isSessionReused(), right };
  } finally {
    connection.close();
  }
}

async function secured(socket: TLSSocket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
}
