// The loads that only TLS has: sessions that are resumed, and HTTP/2 with many streams.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseLoaded, runTool, type Drive, type Load, type Loaded } from './speed-driver.ts';
import type { H2Plan } from './speed-h2-client.ts';
import type { TlsPlan } from './speed-tls-client.ts';
import { tenantOf } from './speed-workloads.ts';

const TLS_CLIENT = fileURLToPath(new URL('./speed-tls-client.ts', import.meta.url));
const H2_CLIENT = fileURLToPath(new URL('./speed-h2-client.ts', import.meta.url));

const LANES = 8;
const H2_CONNECTIONS = 4;
export const STREAMS = 32;
/** A Node process has begun its load by then. */
const BEGIN_MS = 300;

type Mark = Parameters<Drive>[1];

/** A new connection for each request. */
export const driveResumption: Drive = async ({ machine, target, tenants, windowMs }, mark) => {
  const { port, ca } = target;
  const plan: TlsPlan = { port, ca: ca ?? '', tenants, windowMs, lanes: LANES };
  const command = [process.execPath, TLS_CLIENT, JSON.stringify(plan)] as const;
  return parseLoaded(await runFor(machine, command, windowMs, mark));
};

/** h2load where it is installed: for one tenant, because it sends the same headers with every request. */
export const driveH2: Drive = async ({ machine, target, tenants, windowMs }, mark) => {
  const { h2load } = machine.tools;
  const { port, ca } = target;
  if (h2load === null) {
    const size = { connections: H2_CONNECTIONS, streams: STREAMS };
    const plan: H2Plan = { port, ca: ca ?? '', tenants, windowMs, ...size };
    const command = [process.execPath, H2_CLIENT, JSON.stringify(plan)] as const;
    return parseLoaded(await runFor(machine, command, windowMs, mark));
  }
  const size = ['-c', String(H2_CONNECTIONS), '-m', String(STREAMS), '-D', `${windowMs}ms`];
  const header = `x-tenant-id: ${tenantOf(tenants.first)}`;
  const url = `https://127.0.0.1:${port}/small`;
  return parseH2load(await runFor(machine, [h2load, ...size, '-H', header, url], windowMs, mark));
};

async function runFor(
  machine: Load['machine'],
  command: readonly [string, ...string[]],
  windowMs: number,
  { began, ends }: Mark,
): Promise<string[]> {
  return await runTool(
    machine,
    command,
    () => undefined,
    async () => {
      await pause(BEGIN_MS);
      began();
      await pause(Math.max(50, windowMs - BEGIN_MS));
      ends();
      // It ends by itself.
      await new Promise(() => undefined);
    },
  );
}

/** What h2load prints. It tells a mean, no percentiles. Pure. */
export function parseH2load(lines: readonly string[]): Loaded {
  const text = lines.join('\n');
  const [, took = '', unit] = /^finished in ([\d.]+)(ms|s),/m.exec(text) ?? [];
  const [, done, succeeded] =
    /^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded/m.exec(text) ?? [];
  const [, data] = /^traffic: .* \((\d+)\) data$/m.exec(text) ?? [];
  if (done === undefined || data === undefined || unit === undefined)
    throw new Error(`not what h2load prints: ${text.slice(0, 500)}`);
  if (!text.includes('Application protocol: h2')) throw new Error('h2load did not get HTTP/2');
  return {
    requests: Number(done),
    durationMs: Number(took) * (unit === 's' ? 1_000 : 1),
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    bytes: null,
    bodyBytes: Number(data),
    compared: 0,
    resumed: null,
    lateP99Ms: null,
    failed: Number(done) - Number(succeeded),
  };
}
