// The moment after a handover: what waited for it goes to its cell all at once, and may fill the lane for those who come then.
import { expect, onTestFinished, test } from 'vitest';
import { startFencedCell } from '../support/fenced-cell.ts';
import { drain, WITH_OPERATOR } from '../support/operator.ts';
import { routed } from '../support/routed.ts';
import { until } from '../support/wait.ts';

const PATIENT = { HANDOVER_MS: '3600000', HOLD_MS: '7200000', RECONNECT_SPREAD_MS: '0' };

test('who comes right after a handover, and finds the lane full of what it held, waits for room', async () => {
  const [a, b] = await Promise.all([startFencedCell('cell-a'), startFencedCell('cell-b')]);
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])));
  const env = { ...WITH_OPERATOR, ...PATIENT };
  // Guests get two places of four.
  const { router, send, untilHeld, gauge, opinionOf } = await routed([a, b], env, {
    capacity: { concurrency: 4 },
  });
  for (const cell of ['cell-a', 'cell-b']) {
    await until(`${cell} is up`, async () => (await opinionOf(cell)) === 'up');
  }
  await until('both know both homes', () => [a, b].every(({ rules }) => rules.size === 2));
  const inside: (() => void)[] = [];
  b.scripts.set('/slow', (request, response) => {
    request.resume();
    inside.push(() => response.end('slow'));
  });
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  a.beforeTaking = async ({ phase }) => (phase === 'closing' ? await opened : undefined);
  onTestFinished(() => open());

  const drained = drain(router, 'cell-a', 100);
  await until('it is closing', async () => (await gauge('cellgate_home_epoch', { home: 'cell-a' })) === 2);
  const waiting = Array.from({ length: 3 }, () => send('acme', { path: '/slow' }));
  await untilHeld(3);
  open();
  expect((await drained).status).toBe(200);
  await until('the lane is full', () => inside.length === 2);
  await untilHeld(1);
  waiting.push(send('acme', { path: '/slow' }));
  await untilHeld(2);
  for (let answered = 0; answered < 4; answered += 1) {
    await until('one more is inside', () => inside.length > 0);
    inside.shift()?.();
  }

  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});
