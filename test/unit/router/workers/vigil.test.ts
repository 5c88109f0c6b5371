// Which workers are taken for stuck.
import { expect, onTestFinished, test, vi } from 'vitest';
import { Vigil } from '../../../../router/workers/vigil.ts';

const PING_MS = 2_500;

type Fake = { name: string; pings: number; tell(): void };

function fake(name: string, onPing: (worker: Fake) => void = () => undefined): Fake {
  const worker: Fake = {
    name,
    pings: 0,
    tell: () => {
      worker.pings += 1;
      onPing(worker);
    },
  };
  return worker;
}

function watching(): { vigil: Vigil<Fake>; stuck: string[] } {
  vi.useFakeTimers();
  const stuck: string[] = [];
  const vigil = new Vigil<Fake>(({ name }) => stuck.push(name), PING_MS);
  onTestFinished(() => {
    vigil.close();
    vi.useRealTimers();
  });
  return { vigil, stuck };
}

test('one that answers is left alone, one that does not is named after ten seconds', () => {
  const { vigil, stuck } = watching();
  const well = fake('well', (worker) => vigil.answered(worker));
  const hanging = fake('hanging');
  vigil.watch(well);
  vigil.watch(hanging);
  vi.advanceTimersByTime(4 * PING_MS);
  expect([stuck, hanging.pings]).toEqual([[], 4]);
  vi.advanceTimersByTime(PING_MS);
  expect(stuck).toEqual(['hanging']);
});

test('one that is late with an answer is given all the time anew', () => {
  const { vigil, stuck } = watching();
  const slow = fake('slow');
  vigil.watch(slow);
  vi.advanceTimersByTime(4 * PING_MS);
  vigil.answered(slow);
  vi.advanceTimersByTime(4 * PING_MS);
  expect(stuck).toEqual([]);
});

test('one that has ended is asked nothing', () => {
  const { vigil, stuck } = watching();
  const gone = fake('gone');
  vigil.watch(gone);
  vigil.forget(gone);
  vi.advanceTimersByTime(10 * PING_MS);
  expect([stuck, gone.pings]).toEqual([[], 0]);
});
