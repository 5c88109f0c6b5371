// Changes that nobody answered: what is told of a handover that may be under way all the same.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { askAdmin, changeAdmin } from '../../../../infra/commands/admin.ts';
import { freePort } from '../../../support/ports.ts';

const UNDER_WAY =
  /^the router at http:\/\/\S+ has not told how it ended \(.+\)\. The handover may still be under way: look at cellgate cells and cellgate events before you ask again$/;

function envOf(port: number): NodeJS.ProcessEnv {
  return { CELLGATE_ADMIN: `http://127.0.0.1:${port}`, CELLGATE_TOKEN: 'a-token' };
}

async function adminThat(does: RequestListener): Promise<NodeJS.ProcessEnv> {
  const server = createServer(does);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return envOf((server.address() as AddressInfo).port);
}

test('a change that is not answered in time may still be under way, and where to look is told', async () => {
  const env = await adminThat(() => undefined);
  await expect(changeAdmin('POST', '/', {}, { env, limitMs: 100 })).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(UNDER_WAY) as string,
  });
});

test('so may one whose router went away before it answered', async () => {
  const env = await adminThat((request) => request.socket.destroy());
  await expect(changeAdmin('POST', '/', {}, { env })).rejects.toThrow(UNDER_WAY);
});

test('a change that reached no router is not under way', async () => {
  const env = envOf(await freePort());
  await expect(changeAdmin('POST', '/', {}, { env })).rejects.toThrow(/^no router answers at /);
});

test('a question that is not answered changes nothing', async () => {
  const env = await adminThat((request) => request.socket.destroy());
  await expect(askAdmin('/v1/cells', { env })).rejects.toThrow(/^no router answers at /);
});
