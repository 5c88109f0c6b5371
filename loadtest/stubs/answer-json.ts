// A JSON answer of a stub cell, at once or byte by byte.
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** `dripMs`: the pause between two bytes; 0: all at once. */
export async function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  dripMs = 0,
): Promise<void> {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
  });
  if (dripMs === 0) {
    response.end(json);
    return;
  }
  for (const byte of json) {
    if (response.destroyed) return;
    response.write(byte);
    await pause(dripMs);
  }
  response.end();
}
