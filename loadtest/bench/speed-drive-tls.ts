// The loads that only TLS has: sessions that are resumed, and HTTP/2 with many streams.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseLoaded, runTool, type Drive, type Loaded, type Mark } from './speed-driver.ts';
import type { H2Plan } from './speed-h2-client.ts';
import type { Machine } from './speed-machine.ts';
import type { TlsPlan } from './speed-tls-client.ts';
import { tenantOf } from './speed-workloads.ts';

const TLS_CLIENT = fileURLToPath(new URL('./speed-tls-client.ts', import.meta.url));
const H2_CLIENT = fileURLToPath(new URL('./speed-h2-client.ts', import.meta.url));

const LANES = 8;
const H2_CONNECTIONS = 4;
const STREAMS = 32;
/** A Node process has begun its load by then. */
const BEGIN_MS = 300;

/** A new connection for each request; every body is compared. */
export const driveResumption: Drive = {
  sampled: false,
  run: async ({ machine, target, tenants, windowMs }, mark) => {
    const { port, ca } = target;
    const plan: TlsPlan = { port, ca: ca ?? '', tenants, windowMs, lanes: LANES };
    const command = [process.execPath, TLS_CLIENT, JSON.stringify(plan)] as const;
    return parseLoaded(await runFor(machine, command, windowMs, mark));
  },
};

/** By a client of this project, which compares every body and costs the load's core more than h2load does. */
export const driveH2Compared: Drive = {
  sampled: false,
  run: async ({ machine, target, tenants, windowMs }, mark) => {
    const { port, ca } = target;
    const size = { connections: H2_CONNECTIONS, streams: STREAMS };
    const plan: H2Plan = { port, ca: ca ?? '', tenants, windowMs, ...size };
    const command = [process.execPath, H2_CLIENT, JSON.stringify(plan)] as const;
    return parseLoaded(await runFor(machine, command, windowMs, mark));
  },
};

/** h2load where it is installed: for one tenant, because it sends the same headers with every request. */
export function driveH2({ tools }: Machine): Drive {
  const { h2load } = tools;
  if (h2load === null) return driveH2Compared;
  const size = ['-c', String(H2_CONNECTIONS), '-m', String(STREAMS)];
  const run: Drive['run'] = async ({ machine, target, workload, tenants, windowMs }, mark) => {
    const header = ['-H', `x-tenant-id: ${tenantOf(tenants.first)}`];
    const url = `https://127.0.0.1:${target.port}${workload.path}`;
    const command = [h2load, ...size, '-D', `${windowMs}ms`, ...header, url] as const;
    return parseH2load(await runFor(machine, command, windowMs, mark));
  };
  return { sampled: false, run };
}

async function runFor(
  machine: Machine,
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
