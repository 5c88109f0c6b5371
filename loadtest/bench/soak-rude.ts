// Clients that are rude: who leave before or amid an answer, or amid their own request, and who send what no cell may see.
import { connect, type Socket } from 'node:net';
import { NO_ANSWER, type Answer } from './soak-answers.ts';
import { HANG_MS } from './soak-send.ts';

export type RudeKind = {
  name: string;
  weight: number;
  bytes: (tenant: string) => string;
  /**
   * How it goes on: leaves after some milliseconds, whatever came · leaves as soon as the answer's body begins · waits
   * until the router has answered and closed.
   */
  leaves: { afterMs: number } | 'amid-answer' | 'answered';
  right: (answer: Answer) => boolean;
};

const head = (line: string, tenant: string, ...fields: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: soak.test', `x-tenant-id: ${tenant}`, ...fields, '', ''].join('\r\n');

const HALF_A_BODY = 'a'.repeat(10_000);
/** More than the router's parser reads of a head. */
const ENDLESS_HEAD = `x-endless: ${'a'.repeat(70_000)}`;

export const RUDE_KINDS: readonly RudeKind[] = [
  leaving('leaves before the head', 12, { afterMs: 60 }, (tenant) => head('GET /slow/400', tenant)),
  leaving('leaves a POST before the head', 6, { afterMs: 60 }, (tenant) =>
    [head('POST /slow/400', tenant, 'Content-Length: 5'), 'hello'].join(''),
  ),
  leaving('leaves amid its head', 6, { afterMs: 10 }, (tenant) => head('GET /orders', tenant).slice(0, -10)),
  leaving('leaves amid its body', 8, { afterMs: 20 }, (tenant) =>
    [head('POST /take', tenant, 'Content-Length: 65536'), HALF_A_BODY].join(''),
  ),
  leaving('leaves amid its chunks', 6, { afterMs: 20 }, (tenant) =>
    [head('POST /take', tenant, 'Transfer-Encoding: chunked'), `2710\r\n${HALF_A_BODY}\r\nff`].join(''),
  ),
  leaving('leaves a time-out', 3, { afterMs: 100 }, (tenant) => head('GET /hang', tenant)),
  leaving('leaves amid the answer', 8, 'amid-answer', (tenant) => head('GET /drip', tenant)),
  leaving('leaves an event stream', 8, 'amid-answer', (tenant) => head('GET /events', tenant)),
  refused('two hosts', 3, 400, (tenant) => head('GET /orders', tenant, 'Host: other.test')),
  refused('two lengths', 3, 400, (tenant) =>
    head('POST /take', tenant, 'Content-Length: 5', 'Content-Length: 6'),
  ),
  refused('no HTTP at all', 3, 400, () => 'SSH-2.0-OpenSSH_9.2\r\n\r\n'),
  refused('head without an end', 3, 431, (tenant) => head('GET /orders', tenant, ENDLESS_HEAD)),
  refused('the router’s own path', 3, 400, (tenant) => head('GET /.cellgate/serving', tenant)),
];

function leaving(
  name: string,
  weight: number,
  leaves: Exclude<RudeKind['leaves'], 'answered'>,
  bytes: RudeKind['bytes'],
): RudeKind {
  const right = ({ status }: Answer): boolean => leaves !== 'amid-answer' || status === 200;
  return { name, weight, bytes, leaves, right };
}

function refused(name: string, weight: number, status: number, bytes: RudeKind['bytes']): RudeKind {
  return {
    name,
    weight,
    bytes,
    leaves: 'answered',
    right: (answer) => answer.status === status && answer.whole,
  };
}

/** Never rejects. `reset`: it leaves with a reset instead of an end. */
export async function playRude(
  port: number,
  { bytes, leaves }: RudeKind,
  tenant: string,
  reset: boolean,
): Promise<Answer> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  const seen = { received: '', error: null as string | null };
  const leave = (): void => void (reset ? socket.resetAndDestroy() : socket.destroy());
  socket.on('error', ({ code, message }: NodeJS.ErrnoException) => (seen.error = code ?? message));
  socket.on('data', (chunk: Buffer) => {
    seen.received += chunk.toString('latin1');
    if (leaves === 'amid-answer' && hasBody(seen.received)) leave();
  });
  socket.write(bytes(tenant), 'latin1');
  const timer = typeof leaves === 'object' ? setTimeout(leave, leaves.afterMs) : null;
  const closed = await closedWithin(socket, HANG_MS);
  if (timer !== null) clearTimeout(timer);
  const answer = parsed(seen.received);
  return {
    ...answer,
    hung: !closed,
    error: leaves === 'answered' && answer.status === 0 ? seen.error : null,
  };
}

function hasBody(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  return end !== -1 && received.length > end + 4;
}

function parsed(received: string): Answer {
  const [, status = '0'] = /^HTTP\/1\.1 (\d{3}) /.exec(received) ?? [];
  const end = received.indexOf('\r\n\r\n');
  const fields = received.slice(0, Math.max(0, end));
  const cell = /^x-cell-id: (\S+)$/im.exec(fields)?.[1] ?? null;
  const code = /"code":"([a-z-]+)"/.exec(received)?.[1] ?? null;
  const length = Number(/^content-length: (\d+)$/im.exec(fields)?.[1] ?? Number.NaN);
  const whole = end !== -1 && received.length - end - 4 === length;
  return { ...NO_ANSWER, status: Number(status), cell, code, whole };
}

async function closedWithin(socket: Socket, limitMs: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const late = setTimeout(() => {
      resolve(false);
      socket.destroy();
    }, limitMs);
    socket.once('close', () => {
      clearTimeout(late);
      resolve(true);
    });
  });
}
