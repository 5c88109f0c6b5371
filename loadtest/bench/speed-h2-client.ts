// HTTP/2 with many streams on a few connections, where there is no h2load: a process of its own that compares every body.
import { connect, type ClientHttp2Session } from 'node:http2';
import { loadedLine } from './speed-driver.ts';
import { percentile } from './statistics.ts';
import { answerTo, tenantOf, WORKLOADS, type Tenants } from './speed-workloads.ts';

/** Its only argument, as JSON. `streams`: at once, on each connection. */
export type H2Plan = {
  port: number;
  ca: string;
  tenants: Tenants;
  windowMs: number;
  connections: number;
  streams: number;
};

if (import.meta.main) await run(JSON.parse(process.argv[2] ?? '') as H2Plan);

async function run({ port, ca, tenants, windowMs, connections, streams }: H2Plan): Promise<void> {
  const sessions = Array.from({ length: connections }, () => connect(`https://127.0.0.1:${port}`, { ca }));
  const tookMs: number[] = [];
  let [sent, failed] = [0, 0];
  const startMs = performance.now();
  const stream = async (session: ClientHttp2Session): Promise<void> => {
    while (performance.now() - startMs < windowMs) {
      const tenant = tenantOf(tenants.first + (sent % tenants.count));
      sent += 1;
      const sentMs = performance.now();
      if ((await bodyOf(session, tenant)) !== answerTo(WORKLOADS.get, tenant)) failed += 1;
      tookMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(sessions.flatMap((session) => Array.from({ length: streams }, () => stream(session))));
  const durationMs = performance.now() - startMs;
  for (const session of sessions) session.close();
  const [p50Ms, p99Ms] = [percentile(tookMs, 0.5), percentile(tookMs, 0.99)];
  process.stdout.write(loadedLine({ requests: sent, durationMs, p50Ms, p99Ms, failed, compared: sent }));
}

/** Null: no good answer. */
async function bodyOf(session: ClientHttp2Session, tenant: string): Promise<string | null> {
  return await new Promise((resolve) => {
    const request = session.request({ ':path': WORKLOADS.get.path, 'x-tenant-id': tenant });
    let [body, status] = ['', 0];
    request.setEncoding('utf8');
    request.on('response', (headers) => (status = headers[':status'] ?? 0));
    request.on('data', (text: string) => (body += text));
    request.on('end', () => resolve(status === 200 ? body : null));
    request.on('error', () => resolve(null));
    request.end();
  });
}
