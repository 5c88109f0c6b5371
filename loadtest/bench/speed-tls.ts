// What TLS and HTTP/2 cost: Cellgate beside HAProxy, each beside itself without TLS.
import { anyFree } from '../../infra/local/ports.ts';
import { startCellgate } from './contenders/cellgate.ts';
import { startHaproxy } from './contenders/haproxy.ts';
import type { Running } from './contenders/launch.ts';
import { makePems } from './contenders/pems.ts';
import { FEW_CELLS, FEW_TENANTS, inOrderOf, setupFor, type Bench } from './speed-bench.ts';
import { driveH2, driveH2Compared, driveResumption } from './speed-drive-tls.ts';
import type { Drive } from './speed-driver.ts';
import { measure, type Sample } from './speed-measure.ts';
import { measureCalmly } from './speed-repeats.ts';
import { WORKLOADS } from './speed-workloads.ts';

export const TLS_MODES = {
  plain: 'HTTP/1.1 without TLS',
  tls: 'HTTP/1.1 over TLS 1.3',
  resumed: 'a new TLS 1.3 connection for each request, resumed',
  h2: 'HTTP/2 over TLS 1.3, 32 streams',
} as const;

export type TlsMode = keyof typeof TLS_MODES;
export type TlsSeries = { contender: 'cellgate' | 'haproxy'; mode: TlsMode; samples: Sample[] };

type Arm = TlsSeries & { target: Running; drive: Drive };

/** The first session of each lane is new. With fewer resumed than this, something else was measured. */
const RESUMED_LEAST = 0.8;

/** Null: there is no openssl to make a certificate with. */
export async function runTls(bench: Bench): Promise<TlsSeries[] | null> {
  const { openssl } = bench.machine.tools;
  if (openssl === null) return null;
  const setup = setupFor(bench, 'tls', FEW_CELLS);
  const pems = makePems(openssl, setup.folder);
  const started: Running[] = [];
  const start = async (one: Promise<Running | null>): Promise<Running | null> => {
    const running = await one;
    if (running !== null) started.push(running);
    return running;
  };
  try {
    const named = { id: 'cellgate', label: 'Cellgate' };
    const overTls = { id: 'cellgate-tls', label: 'Cellgate, TLS', pems };
    const cellgate = await start(startCellgate(setup, { ...named, port: await anyFree() }));
    const cellgateTls = await start(startCellgate(setup, { ...overTls, port: await anyFree() }));
    const haproxy = await start(startHaproxy(setup, await anyFree()));
    const haproxyTls = await start(startHaproxy(setup, await anyFree(), pems));
    const arms = [
      ...armsOf(bench, 'cellgate', cellgate, cellgateTls),
      ...armsOf(bench, 'haproxy', haproxy, haproxyTls),
    ];
    await play(bench, arms);
    return arms.map(({ contender, mode, samples }) => ({ contender, mode, samples }));
  } finally {
    for (const { child } of started) await child.stop();
  }
}

function armsOf(
  { drive, machine }: Bench,
  contender: TlsSeries['contender'],
  plain: Running | null,
  tls: Running | null,
): Arm[] {
  if (plain === null || tls === null) return [];
  const arm = (mode: TlsMode, target: Running, by: Drive): Arm => {
    return { contender, mode, target, drive: by, samples: [] };
  };
  return [
    arm('plain', plain, drive),
    arm('tls', tls, drive),
    arm('resumed', tls, driveResumption),
    arm('h2', tls, driveH2(machine)),
  ];
}

async function play(bench: Bench, arms: readonly Arm[]): Promise<void> {
  const { plan, repeats, say } = bench;
  for (const arm of arms) {
    const compared = arm.mode === 'h2' ? driveH2Compared : arm.drive;
    await measureArm(bench, { ...arm, drive: compared }, plan.warmMs);
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const arm of inOrderOf(round, arms)) {
      arm.samples.push(await measureCalmly(repeats, () => measureArm(bench, arm, plan.windowMs)));
    }
    say(`TLS: round ${round + 1} of ${plan.rounds}`);
  }
}

async function measureArm({ machine }: Bench, arm: Arm, windowMs: number): Promise<Sample> {
  const { target, drive, mode } = arm;
  const load = { machine, target, workload: WORKLOADS.get, tenants: FEW_TENANTS, windowMs };
  const sample = await measure(drive, load);
  if (mode === 'resumed' && (sample.resumed ?? 0) < RESUMED_LEAST)
    throw new Error(`${target.label}: of all sessions, ${sample.resumed} (0–1) were resumed`);
  return sample;
}
