// The soak on a small scale: what holds on any machine is asserted; how much memory it takes is not looked at.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runIdle } from '../../loadtest/bench/soak-idle.ts';
import { runMixed } from '../../loadtest/bench/soak-mixed.ts';
import { CAN_LOOK, countOf } from '../../loadtest/bench/soak-process.ts';
import { judgeIdle } from '../../loadtest/bench/soak-report.ts';

const say = (line: string): void => console.log(line);

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cellgate-soak-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test.skipIf(!CAN_LOOK)(
  'every idle connection is answered, and stays open while memory is looked at',
  async () => {
    const plan = { connections: 100, lookMs: 500, busyMs: 500, say };
    const measured = await runIdle({ folder: newFolder(), ...plan });
    expect([measured.idleOpen, measured.afterBusyOpen]).toEqual([100, 100]);
    expect(measured.busyAnswers).toBeGreaterThan(0);
    expect(judgeIdle(measured).filter(({ value }) => !(value > 0))).toEqual([]);
  },
);

test.skipIf(!CAN_LOOK)(
  'after a lost cell and all that clients do wrong every answer was right, and nothing is left in the router',
  async () => {
    const plan = { rate: 100, loadMs: 3_000, turnEveryMs: 1_000, restMs: 1_500, say };
    const { counts, streams, turns, left, descriptors, samples } = await runMixed({
      folder: newFolder(),
      ...plan,
    });
    expect(turns).toEqual({ failovers: 1, drains: 1 });
    expect([counts.wrong, streams.wrong]).toEqual([{}, {}]);
    expect(counts.kinds['GET']?.right).toBeGreaterThan(0);
    expect(samples.rss.length).toBeGreaterThan(0);
    expect(left).toEqual({ connections: 0, requests: 0, tunnels: 0, held: 0 });
    expect(countOf(descriptors.atEnd)).toBeLessThanOrEqual(countOf(descriptors.atStart));
  },
);
