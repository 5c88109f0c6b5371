// Which ports are free.
import { createServer, type AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { nextFree, requireFree } from '../../../../infra/local/ports.ts';

async function busyPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test.each(['127.0.0.1', '0.0.0.0'])('a port that is in use on %s is named with its purpose', async (host) => {
  const port = await busyPort(host);
  await expect(requireFree([{ port, use: 'public port of router-1' }])).rejects.toThrow(
    `port ${port} (public port of router-1) is in use; choose another`,
  );
});

test('all busy ports are named at once', async () => {
  const ports = [await busyPort(), await busyPort()];
  const failure = requireFree(ports.map((port) => ({ port, use: 'x' })));
  await expect(failure).rejects.toThrow(new RegExp(`${ports[0]}.*\n.*${ports[1]}`));
});

test('busy and taken ports are passed over', async () => {
  const busy = await busyPort();
  const [found] = await nextFree(1, busy, new Set([busy + 1]));
  expect(found).toBeGreaterThan(busy + 1);
});

test('past the last port there are none', async () => {
  await expect(nextFree(3, 65_534, new Set())).rejects.toThrow(/no 3 free ports from 65534 on/);
});
