// What a stub cell does with a request for its path's sake: bodies of every kind, and answers that go wrong.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

/** How long a large body is, in bytes, either way. */
export const LARGE_BYTES = 65_536;
/** A frame that has the cell cut its tunnel. */
export const CUT_FRAME = 'cut me';

const PARTS = 16;
const DRIP_MS = 20;
const STATUS_PATH = /^\/status\/([2-5]\d\d)$/;

/** Who answers whom. */
type Who = { cell: string; tenant: string };
type Play = (request: IncomingMessage, response: ServerResponse, who: Who) => void | Promise<void>;

const PLAYS = new Map<string, Play>([
  ['/large', (_, response, who) => void response.end(largeBody(who))],
  ['/chunked', (_, response, who) => sendParts(response, who, 0)],
  ['/drip', (_, response, who) => sendParts(response, who, DRIP_MS)],
  ['/take', tellBody],
  ['/hang', () => undefined],
  ['/broken', (request) => void request.socket.end('HTTP/1.1 2OO fine\r\n\r\n')],
  ['/reset', (request) => void request.socket.resetAndDestroy()],
  ['/cut', cutAmidBody],
  ['/misdirected', (_, response) => answer(response, 421, { error: 'always' })],
]);

/** What `/large`, `/chunked` and `/drip` answer: it tells of every part of it whose it is. */
export function largeBody({ cell, tenant }: Who): Buffer {
  return Buffer.alloc(LARGE_BYTES, `${cell} for ${tenant}\n`);
}

/** What `/take` tells of a body. */
export function digestOf(body: Buffer): string {
  return createHash('sha1').update(body).digest('hex');
}

/** Plays what the path asks for. False: it means nothing special. */
export function playPath(request: IncomingMessage, response: ServerResponse, who: Who): boolean {
  const path = request.url ?? '';
  const status = STATUS_PATH.exec(path)?.[1];
  const play = PLAYS.get(path);
  if (status !== undefined) answer(response, Number(status), { ...who, status: Number(status) });
  else if (play === undefined) return false;
  else Promise.resolve(play(request, response, who)).catch(() => response.destroy());
  return true;
}

const echoes = new WebSocketServer({ noServer: true });

/** A WebSocket that sends back each message. */
export function openEcho(request: IncomingMessage, socket: Duplex, early: Buffer): void {
  echoes.handleUpgrade(request, socket, early, (opened) => {
    opened.on('error', () => undefined);
    opened.on('message', (data: Buffer, isBinary) => {
      if (!isBinary && data.toString() === CUT_FRAME) socket.destroy();
      else opened.send(data, { binary: isBinary });
    });
  });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function sendParts(response: ServerResponse, who: Who, everyMs: number): Promise<void> {
  const body = largeBody(who);
  const bytes = LARGE_BYTES / PARTS;
  for (let part = 0; part < PARTS && !response.destroyed; part += 1) {
    response.write(body.subarray(part * bytes, (part + 1) * bytes));
    if (everyMs > 0) await pause(everyMs);
  }
  response.end();
}

async function tellBody(request: IncomingMessage, response: ServerResponse, who: Who): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const body = Buffer.concat(parts);
  answer(response, 200, { ...who, bytes: body.length, sha1: digestOf(body) });
}

function cutAmidBody(request: IncomingMessage, response: ServerResponse, who: Who): void {
  response.writeHead(200, { 'content-length': LARGE_BYTES });
  response.write(largeBody(who).subarray(0, LARGE_BYTES / 2), () => request.socket.resetAndDestroy());
}
