// `npm start` when it can't: one sentence, the right exit code, and nothing started.
import { createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { EMPTY_PATH, startLocal, type LocalRun } from '../support/local-fleet.ts';

async function start(...given: Parameters<typeof startLocal>): Promise<LocalRun> {
  const run = await startLocal(...given);
  onTestFinished(run.clean);
  return run;
}

test.each([
  [['--cells', '27'], /^--cells 27: not a whole number from 1 to 26\n$/],
  [['--cells', '0'], /^--cells 0: not a whole number from 1 to 26\n$/],
  [['--frobnicate'], /^unknown option '--frobnicate'\n$/],
])('%j is bad input', async (args, message) => {
  const run = await start(args);
  expect([await run.exited, run.stderr()]).toEqual([2, expect.stringMatching(message)]);
  await run.untilNothingIsLeft();
});

test('several routers without a Redis are bad input', async () => {
  const run = await start(['--routers', '2'], { env: { PATH: EMPTY_PATH } });
  expect([await run.exited, run.stderr()]).toEqual([2, expect.stringMatching(/^--routers 2: [^\n]+\n$/)]);
  await run.untilNothingIsLeft();
});

test.each(['--port', '--admin-port'])('a busy %s is named and nothing is started', async (flag) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const run = await start([flag, String(port)]);
  expect([await run.exited, run.stderr()]).toEqual([
    1,
    expect.stringMatching(
      new RegExp(`^port ${port} \\((public|admin) port of router-1\\) is in use[^\\n]*\\n$`),
    ),
  ]);
  await run.untilNothingIsLeft();
});

test('a process that ends while it starts is shown with the end of its log, and all is stopped', async () => {
  const run = await start(['--cells', '2'], { env: { FALL: 'often' } });
  expect(await run.exited).toBe(1);
  expect(run.stderr()).toMatch(/^router-1 exited \(exit code 2\) before it was ready\n.*FALL/);
  await run.untilNothingIsLeft();
});
