// An open loop at a fixed rate as a process of its own: no answer, however late, delays the next request.
import { loadedLine } from './speed-driver.ts';
import { dial, type HttpConnection } from './speed-exchange.ts';
import { percentile } from './statistics.ts';
import { answerTo, requestBytes, tenantOf, WORKLOADS, type Tenants } from './speed-workloads.ts';

/** Its only argument, as JSON. */
export type OpenPlan = { port: number; rate: number; tenants: Tenants; windowMs: number };

if (import.meta.main) await run(JSON.parse(process.argv[2] ?? '') as OpenPlan);

/**
 * Each request is sent when it is due, on a connection that has none under way: a new one where there is none. How long
 * it took counts from when it was sent, not from when it was due: how late this process itself woke up is told apart.
 */
async function run({ port, rate, tenants, windowMs }: OpenPlan): Promise<void> {
  const idle: HttpConnection[] = [];
  const all: HttpConnection[] = [];
  const [tookMs, lateMs]: [number[], number[]] = [[], []];
  let failed = 0;
  const send = async (tenant: string, dueMs: number): Promise<void> => {
    try {
      const connection = idle.pop() ?? (await dialOne());
      const sentMs = performance.now();
      lateMs.push(sentMs - dueMs);
      const answer = await connection.exchange(requestBytes(WORKLOADS.get, `127.0.0.1:${port}`, tenant));
      tookMs.push(performance.now() - sentMs);
      idle.push(connection);
      const right = answer.body.equals(Buffer.from(answerTo(WORKLOADS.get, tenant)));
      if (answer.status !== 200 || !right) failed += 1;
    } catch {
      failed += 1;
    }
  };
  const dialOne = async (): Promise<HttpConnection> => {
    const connection = await dial(port, null);
    all.push(connection);
    return connection;
  };
  const startMs = performance.now();
  const sent = await atRate(rate, windowMs, (index, dueMs) =>
    send(tenantOf(tenants.first + (index % tenants.count)), dueMs),
  );
  const durationMs = performance.now() - startMs;
  for (const connection of all) connection.close();
  const [p50Ms, p99Ms] = [percentile(tookMs, 0.5), percentile(tookMs, 0.99)];
  const lateP99Ms = percentile(lateMs, 0.99);
  process.stdout.write(
    loadedLine({ requests: sent, durationMs, p50Ms, p99Ms, failed, compared: sent, lateP99Ms }),
  );
}

/** Calls `send` as often as the rate has it due; resolves with how often when all of its promises have. */
async function atRate(
  rate: number,
  windowMs: number,
  send: (index: number, dueMs: number) => Promise<void>,
): Promise<number> {
  const startMs = performance.now();
  const wanted = Math.floor((windowMs / 1_000) * rate);
  const under: Promise<void>[] = [];
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(wanted, ((performance.now() - startMs) / 1_000) * rate);
      while (under.length < due) {
        const dueMs = startMs + (under.length / rate) * 1_000;
        under.push(send(under.length, dueMs));
      }
      if (under.length < wanted) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await Promise.all(under);
  return wanted;
}
