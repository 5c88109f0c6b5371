// A cell is asked again and again, one question at a time.
import type { RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { Probe, type ProbeResult } from '../../../../../router/health/cells/probe.ts';
import { Prober } from '../../../../../router/health/cells/prober.ts';
import { startStubCell, type StubCell } from '../../../../support/stub-cell.ts';
import { until } from '../../../../support/wait.ts';
import { plainNetwork } from '../../../../support/network.ts';

const NEVER_MS = 86_400_000;

async function stub(): Promise<StubCell> {
  const cell = await startStubCell('cell-a');
  onTestFinished(async () => await cell.close());
  return cell;
}

function probing(cell: StubCell, intervalMs: number) {
  const results: ProbeResult[] = [];
  const probe = new Probe('cell-a', cell.origin, 10_000, plainNetwork());
  const prober = new Prober(probe, intervalMs, (result) => results.push(result));
  onTestFinished(async () => await prober.stop());
  return { prober, results };
}

/** Replaces the answer to `/health` with `listener`. */
function answerWith(cell: StubCell, listener: RequestListener): void {
  cell.server.removeAllListeners('request');
  cell.server.on('request', listener);
}

test('the first question comes at once', async () => {
  const { results } = probing(await stub(), NEVER_MS);
  await until('it was answered', () => results.length === 1);
});

test('questions go on and tell of changes', async () => {
  const cell = await stub();
  const { results } = probing(cell, 10);
  await until('it is up', () => results.at(-1)?.ok === true);
  cell.health.status = 500;
  await until('it is failing', () => results.at(-1)?.ok === false);
});

test('who is suspected is asked before its turn', async () => {
  const { prober, results } = probing(await stub(), NEVER_MS);
  await until('it was asked once', () => results.length === 1);
  prober.hurry();
  await until('it was asked again', () => results.length === 2);
});

test('there is never more than one question, however loudly traffic complains', async () => {
  const cell = await stub();
  let open = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  answerWith(cell, (_, response) => {
    open += 1;
    most = Math.max(most, open);
    waiting.push(() => {
      open -= 1;
      response.end('{}');
    });
  });
  const { prober, results } = probing(cell, 10);
  for (let round = 1; round <= 3; round += 1) {
    await until('it is asked', () => waiting.length > 0);
    for (let i = 0; i < 100; i += 1) prober.hurry();
    waiting.shift()?.();
    await until('it is answered', () => results.length === round);
    for (let i = 0; i < 100; i += 1) prober.hurry();
  }
  expect(most).toBe(1);
  for (const answer of waiting) answer();
});

test('after a stop nothing is asked and nothing is told', async () => {
  const cell = await stub();
  let asked = 0;
  answerWith(cell, () => (asked += 1));
  const { prober, results } = probing(cell, 10);
  await until('the question is open', () => asked === 1);
  await prober.stop();
  prober.hurry();
  await until('its connection is gone', () => cell.sockets.size === 0);
  expect([asked, results.length]).toEqual([1, 0]);
});
