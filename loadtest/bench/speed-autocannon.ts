// autocannon as a process of its own: every body is compared with what it must be, which costs the load's core a lot.
import autocannon from 'autocannon';
import { answerTo, tenantOf, type Tenants, type Workload } from './speed-workloads.ts';
import { CONNECTIONS, loadedLine } from './speed-driver.ts';

/** Its only argument, as JSON. */
export type AutocannonPlan = {
  url: string;
  workload: Workload;
  tenants: Tenants;
  windowMs: number;
};

/** Told on stdout when all connections are at work. */
export const BEGAN = 'began';

/** Each connection has tenants of its own, made beforehand: so many at most, then over again. */
const MOST_EACH = 1_000;
const SAMPLE_MS = 50;

if (import.meta.main) run(JSON.parse(process.argv[2] ?? '') as AutocannonPlan);

function run({ url, workload, tenants, windowMs }: AutocannonPlan): void {
  let [compared, wrong, connection] = [0, 0, 0];
  const look = (tenant: string) => {
    const wanted = answerTo(workload, tenant);
    return (status: number, body: string): void => {
      compared += 1;
      if (status !== 200 || body !== wanted) wrong += 1;
    };
  };
  const instance = autocannon(
    {
      url: `${url}${workload.path}`,
      connections: CONNECTIONS,
      duration: 600,
      sampleInt: SAMPLE_MS,
      setupClient: (client) => {
        client.setRequests(
          tenantsFor(connection, tenants).map((tenant) => ({
            method: workload.method,
            path: workload.path,
            headers: {
              'x-tenant-id': tenant,
              ...(workload.body === null ? {} : { 'content-type': 'application/json' }),
            },
            ...(workload.body === null ? {} : { body: workload.body }),
            onResponse: look(tenant),
          })),
        );
        connection += 1;
      },
    },
    (error: Error | null, result) => {
      if (error !== null) throw error;
      const { latency, errors, timeouts, duration } = result;
      process.stdout.write(
        loadedLine({
          requests: compared,
          durationMs: duration * 1_000,
          p50Ms: latency.p50,
          p99Ms: latency.p99,
          compared,
          failed: wrong + errors + timeouts,
        }),
      );
    },
  );
  instance.once('response', () => {
    process.stdout.write(`${BEGAN}\n`);
    setTimeout(() => instance.stop(), windowMs);
  });
}

/** Those of one connection, of `CONNECTIONS`. */
function tenantsFor(connection: number, { first, count }: Tenants): string[] {
  const each = Math.min(MOST_EACH, Math.max(1, Math.floor(count / CONNECTIONS)));
  return Array.from({ length: each }, (_, at) => tenantOf(first + ((connection + at * CONNECTIONS) % count)));
}
