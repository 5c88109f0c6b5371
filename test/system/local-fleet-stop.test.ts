// However a local fleet ends, no process, socket or folder of it is left.
import { mkdirSync, rmSync } from 'node:fs';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { EMPTY_PATH, startLocal, type LocalRun } from '../support/local-fleet.ts';
import { descendantsOf, processesOf, temporaryFolder } from '../support/processes.ts';
import { until } from '../support/wait.ts';

const runs: LocalRun[] = [];

async function start(...given: Parameters<typeof startLocal>): Promise<LocalRun> {
  const run = await startLocal(...given);
  runs.push(run);
  return run;
}

async function ready(...given: Parameters<typeof startLocal>): Promise<LocalRun> {
  const run = await start(...given);
  await run.waitForLine(/^ready http/, 60_000);
  return run;
}

afterEach(async () => {
  for (const run of runs.splice(0)) await run.clean();
});

test('Ctrl-C ends everything, the PostgreSQL of a killed cell too', async () => {
  const fleet = await ready(['--cells', '2', '--routers', '2']);
  process.kill(fleet.pidOf('cell-a'), 'SIGKILL');
  await fleet.waitForLine(/^cell-a exited \(SIGKILL\)/);
  const orphan = /postgres -D \S+\/cell-a\//;
  expect(processesOf(fleet.folder).some(({ command }) => orphan.test(command))).toBe(true);
  fleet.stopGroup('SIGINT');
  expect(await fleet.exited).toBe(0);
  await fleet.untilNothingIsLeft();
});

test('SIGTERM to the runner alone is the same, without a Redis too', async () => {
  const fleet = await ready(['--cells', '1'], { env: { PATH: EMPTY_PATH } });
  expect(fleet.stdout()).toMatch(/^store +in the router itself: no redis-server was found/m);
  expect(fleet.stdout()).toMatch(/^cell-a +\S+ +\d+ +none$/m);
  fleet.process.kill('SIGTERM');
  expect(await fleet.exited).toBe(0);
  await fleet.untilNothingIsLeft();
});

test('a closed terminal ends it', async () => {
  const fleet = await ready(['--cells', '1']);
  fleet.process.stdout?.destroy();
  fleet.process.stderr?.destroy();
  fleet.stopGroup('SIGHUP');
  expect(await fleet.exited).toBe(0);
  await fleet.untilNothingIsLeft();
});

test('Ctrl-C while it starts leaves nothing behind', async () => {
  const fleet = await start(['--cells', '2']);
  await until('a cell is being started', () => descendantsOf(fleet.pid).length > 1);
  fleet.stopGroup('SIGINT');
  expect(await fleet.exited).toBe(0);
  await fleet.untilNothingIsLeft();
});

test('what does not stop by itself is killed in the end', async () => {
  const fleet = await ready(['--cells', '1']);
  for (const name of ['cell-a', 'router-1']) process.kill(fleet.pidOf(name), 'SIGSTOP');
  fleet.stopGroup('SIGINT');
  expect(await fleet.exited).toBe(0);
  await fleet.untilNothingIsLeft();
});

test('a second Ctrl-C kills at once', async () => {
  const fleet = await ready(['--cells', '2']);
  for (const name of ['cell-a', 'cell-b', 'router-1']) process.kill(fleet.pidOf(name), 'SIGSTOP');
  fleet.stopGroup('SIGINT');
  await fleet.waitForLine(/^stopping/);
  const again = setInterval(() => fleet.stopGroup('SIGINT'), 50);
  expect(await fleet.exited.finally(() => clearInterval(again))).toBe(1);
  expect(fleet.stderr()).toBe('killed\n');
  await fleet.untilNothingIsLeft();
});

test('with --respawn a killed cell comes back by itself', async () => {
  const fleet = await ready(['--cells', '1', '--respawn']);
  const before = fleet.pidOf('cell-a');
  process.kill(before, 'SIGKILL');
  await fleet.waitForLine(/^cell-a exited \(SIGKILL\); it is started again in 3 s$/);
  await fleet.waitForLine(/^cell-a is up again/);
  expect(fleet.pidOf('cell-a')).not.toBe(before);
});

test('what a killed runner left is stopped by the next start, in a folder with a space too', async () => {
  const outer = temporaryFolder();
  onTestFinished(() => rmSync(outer, { recursive: true }));
  const folder = `${outer}/a b`;
  mkdirSync(folder, { mode: 0o711 });
  const first = await ready(['--cells', '1'], { folder });
  first.process.kill('SIGKILL');
  await first.exited;
  const next = await ready(['--cells', '1'], { folder });
  const said = `^an earlier fleet \\(runner ${first.pid}\\) was killed; stopping what it left: redis, cell-a, router-1$`;
  expect(next.stdout()).toMatch(new RegExp(said, 'm'));
  next.stopGroup('SIGINT');
  expect(await next.exited).toBe(0);
  await next.untilNothingIsLeft();
});
