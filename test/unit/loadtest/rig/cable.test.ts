// The cable between two databases: what goes through it, and what happens when it is cut.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layCable, type Cable } from '../../../../loadtest/rig/cable.ts';
import { until } from '../../../support/wait.ts';

let folder = '';
let echo: Server;
let cable: Cable;
const inside: Socket[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cable-'));
  const path = join(folder, 'socket');
  echo = createServer((socket) => {
    inside.push(socket);
    socket.on('error', () => undefined).pipe(socket);
  }).listen(path);
  await once(echo, 'listening');
  cable = await layCable(path, 'cell');
});

afterEach(async () => {
  await cable.close();
  for (const socket of inside.splice(0)) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
  rmSync(folder, { recursive: true });
});

function dial(): { socket: Socket; heard: () => string; isOver: () => boolean } {
  const socket = connect(Number(new URL(cable.url).port), '127.0.0.1');
  let heard = '';
  let over = false;
  socket.on('error', () => undefined).on('close', () => (over = true));
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  return { socket, heard: () => heard, isOver: () => over };
}

async function echoed(text: string): Promise<ReturnType<typeof dial>> {
  const line = dial();
  line.socket.write(text);
  await until('it came back', () => line.heard() === text);
  return line;
}

test('what is sent comes through, both ways', async () => {
  const { socket } = await echoed('there and back');
  socket.destroy();
});

test('what is sent into a silence arrives when it is over', async () => {
  const line = await echoed('before ');
  cable.cut('silence');
  line.socket.write('during');
  const late = dial();
  late.socket.write('late');
  await once(late.socket, 'connect');
  expect([line.heard(), late.heard()]).toEqual(['before ', '']);
  cable.heal();
  await until('both are heard', () => line.heard() === 'before during' && late.heard() === 'late');
  for (const { socket } of [line, late]) socket.destroy();
});

test('an end during a silence is told when it is over', async () => {
  const line = await echoed('hello');
  cable.cut('silence');
  for (const socket of inside) socket.destroy();
  await until('it is gone inside', () => inside.every(({ destroyed }) => destroyed));
  expect(line.isOver()).toBe(false);
  cable.heal();
  await until('it is told', line.isOver);
});

test('a reset ends what is open and refuses what comes', async () => {
  const line = await echoed('hello');
  cable.cut('reset');
  const late = dial();
  await until('both are over', () => line.isOver() && late.isOver());
  cable.heal();
  (await echoed('again')).socket.destroy();
});
