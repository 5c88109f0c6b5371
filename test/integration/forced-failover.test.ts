// A failover by hand: who may, what it takes, and what it does.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fleetOf, startRouter, type RunningRouter } from '../support/router.ts';
import { startStubCell, type StubCell } from '../support/stub-cell.ts';
import { until } from '../support/wait.ts';

const TOKEN = 'a-long-enough-token';
const WISH = { reason: 'power works', owner: 'anna', expiresIn: 600 };

let cells: StubCell[];
let router: RunningRouter;

beforeEach(async () => {
  cells = await Promise.all(['cell-a', 'cell-b'].map((id) => startStubCell(id)));
  const origins = Object.fromEntries(cells.map(({ id, origin }) => [id, { origin }]));
  router = await startRouter(fleetOf(origins, { pins: { acme: 'cell-a' } }), {
    ADMIN_TOKEN: `anna:${TOKEN}`,
  });
  await until('both cells are up', async () => {
    const { cells: rows } = (await (await fetch(`${router.admin}/v1/cells`)).json()) as {
      cells: { opinion: string }[];
    };
    return rows.every(({ opinion }) => opinion === 'up');
  });
});

afterEach(async () => {
  await router.stop();
  await Promise.all(cells.map((cell) => cell.close()));
});

async function failOver(body: unknown, token: string | null = TOKEN, cell = 'cell-a') {
  const answer = await fetch(`${router.admin}/v1/cells/${cell}/fail-over`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function servedBy(tenant: string): Promise<string | null> {
  const answer = await fetch(router.url, { headers: { 'x-tenant-id': tenant } });
  await answer.text();
  return answer.headers.get('x-cell-id');
}

test('it sends the tenants to the neighbour at once, with the operator in the event', async () => {
  const { status, body } = await failOver(WISH);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    home: 'cell-a',
    state: 'failed-over',
    target: 'cell-b',
    epoch: 2,
    cause: 'operator',
  });
  expect(await servedBy('acme')).toBe('cell-b');
  const { events } = (await (await fetch(`${router.admin}/v1/events`)).json()) as { events: unknown[] };
  expect(events[0]).toMatchObject({ actor: 'anna', cause: 'operator', cell: 'cell-a' });
});

test('what is inside the cell already is answered by it', async () => {
  const [cell] = cells;
  const ends: (() => void)[] = [];
  cell?.scripts.set('/slow', (_, response) => {
    ends.push(() => response.end('done'));
  });
  const answer = fetch(`${router.url}/slow`, { method: 'POST', headers: { 'x-tenant-id': 'acme' } });
  const end = await until('it is inside', () => ends[0]);
  await failOver(WISH);
  end();
  const { status, headers } = await answer;
  expect([status, headers.get('x-cell-id')]).toEqual([200, 'cell-a']);
});

test('asking again changes nothing but its end', async () => {
  const first = await failOver(WISH);
  const second = await failOver({ ...WISH, expiresIn: 7_200 });
  expect(second).toMatchObject({ status: 200, body: { epoch: 3, state: 'failed-over', share: 100 } });
  expect(String(second.body['deadline']) > String(first.body['deadline'])).toBe(true);
  expect(await servedBy('acme')).toBe('cell-b');
});

test('it ends by itself when its time has passed, step by step', async () => {
  // Where it was until then, the events tell: a busy machine may take longer than its time to ask.
  await failOver({ ...WISH, expiresIn: 1 });
  const events = await until('all tenants are home again', async () => {
    const told = (await (await fetch(`${router.admin}/v1/events`)).json()) as { events: { epoch: number }[] };
    return told.events[0]?.epoch === 8 ? told.events : null;
  });
  expect(events[0]).toMatchObject({ cause: 'expired', to: 'serving', details: { phase: 'open', share: 0 } });
  expect(events.at(-2)).toMatchObject({ cause: 'expired', from: 'failed-over', to: 'returning', epoch: 3 });
  expect(events.at(-1)).toMatchObject({ cause: 'operator', to: 'failed-over', epoch: 2 });
  expect(await servedBy('acme')).toBe('cell-a');
});

test('without a token, or with a wrong one, nothing changes', async () => {
  expect(await failOver(WISH, null)).toMatchObject({ status: 401, body: { code: 'admin-unauthorized' } });
  expect(await failOver(WISH, `${TOKEN}x`)).toMatchObject({
    status: 401,
    body: { code: 'admin-unauthorized' },
  });
  expect(await servedBy('acme')).toBe('cell-a');
});

test('a wish without reason, owner and end names all that is missing', async () => {
  const { status, body } = await failOver({});
  expect(status).toBe(400);
  for (const name of ['reason', 'owner', 'expiresIn']) expect(String(body['title'])).toContain(`${name}: `);
});

test('a cell that is not there is not found', async () => {
  expect(await failOver(WISH, TOKEN, 'cell-z')).toMatchObject({ status: 404, body: { code: 'not-found' } });
});

test('a neighbour that is down is a safety rule, which is overruled only by its name', async () => {
  await cells[1]?.die();
  await until('it is known to be down', async () => {
    const { cells: rows } = (await (await fetch(`${router.admin}/v1/cells`)).json()) as {
      cells: { id: string; opinion: string }[];
    };
    return rows.some(({ id, opinion }) => id === 'cell-b' && opinion === 'down');
  });
  await until('the store knows it, too', async () => (await failOver(WISH)).status === 409);
  expect(await failOver(WISH)).toMatchObject({ status: 409, body: { code: 'safety-rule' } });
});

test('the token is in no log', async () => {
  await failOver(WISH);
  await failOver(WISH, 'some-other-token');
  expect(JSON.stringify(router.logs)).not.toMatch(/some-other-token|a-long-enough-token/);
});
