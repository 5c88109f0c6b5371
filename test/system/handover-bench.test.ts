// The benchmark of handovers on a small scale: that it sees what it should. Its counts hold on any machine, its durations do not.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Kind } from '../../loadtest/bench/handover-kinds.ts';
import { judgeHandovers, type HandoverRow } from '../../loadtest/bench/handover-report.ts';
import { runHandovers, type HandoverMeasured } from '../../loadtest/bench/handover-run.ts';

const KINDS: Kind[] = [
  'no change',
  'drain 0→10→50→100→50→0 %',
  'evacuate',
  'restore',
  'pin and unpin',
  'a router is killed in closing',
];

let folder = '';
let measured: HandoverMeasured;
let rows: HandoverRow[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cellgate-bench-'));
  const say = (line: string): void => console.log(line);
  measured = await runHandovers({ folder, rate: 200, plays: 1, kinds: KINDS, say });
  rows = judgeHandovers(measured, KINDS);
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const rowOf = (kind: Kind): HandoverRow | undefined => rows.find((row) => row.kind === kind);

test('every kind is played to its end, and every target is met', () => {
  expect(measured.brokenOff).toBeNull();
  expect(rows.map(({ kind, judgement }) => [kind, judgement])).toEqual(KINDS.map((kind) => [kind, 'met']));
});

test('handovers are seen, and so are the requests that they hold; without one nothing is', () => {
  expect(rowOf('no change')).toMatchObject({ opened: 0, undone: 0, held: 0, restart: 0, clean: 0 });
  expect(rowOf('drain 0→10→50→100→50→0 %')).toMatchObject({ opened: 5 });
  for (const kind of ['evacuate', 'restore'] as const) {
    const { opened = 0, held = 0, holdLongestMs = 0 } = rowOf(kind) ?? {};
    expect({ kind, opened, held: held > 0, waited: holdLongestMs > 0 }).toEqual({
      kind,
      opened: 1,
      held: true,
      waited: true,
    });
  }
});

test('every stream of the cell that is emptied is ended as it should be', () => {
  // Two tenants with a WebSocket and an event stream each.
  expect(rowOf('evacuate')).toMatchObject({ restart: 2, clean: 2, broken: 0 });
});
