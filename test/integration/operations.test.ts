// What operators may ask for, and what is refused: by whom, with which words, for which cell, and by which rule.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { operated, startOperated, STAY, TOKEN, WHY, type Method } from '../support/operated.ts';
import { routed } from '../support/routed.ts';
import { until } from '../support/wait.ts';

const REQUESTS: [Method, string, object][] = [
  ['POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 }],
  ['DELETE', '/v1/cells/cell-a/drain', WHY],
  ['POST', '/v1/cells/cell-a/restore', WHY],
  ['POST', '/v1/cells/cell-a/fail-over', STAY],
  ['PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' }],
  ['DELETE', '/v1/pins/acme', WHY],
];
/** What ends something needs no words: who ends it is the owner, and the reason says what ended. */
const ENDS: [Method, string, string][] = [
  ['DELETE', '/v1/cells/cell-a/drain', 'the drain was ended by hand'],
  ['POST', '/v1/cells/cell-a/restore', 'brought home by hand'],
  ['DELETE', '/v1/pins/acme', 'unpinned by hand'],
];
/** So long that a handover of one of these tests neither opens nor ends by itself. */
const PATIENT = { HOLD_MS: '60000', HANDOVER_MS: '50000' };

let shared: Awaited<ReturnType<typeof startOperated>>;

beforeAll(async () => {
  shared = await startOperated();
});

afterAll(async () => {
  await shared.stop();
});

test('without a token, or with a wrong one, nothing is even read', async () => {
  const { ask, events } = shared;
  for (const [method, path] of REQUESTS) {
    for (const token of [null, `${TOKEN}x`]) {
      expect(await ask(method, path, '{', token)).toMatchObject({
        status: 401,
        body: { code: 'admin-unauthorized' },
      });
    }
  }
  expect(await events()).toEqual([]);
});

test('without ADMIN_TOKEN nothing can be changed', async () => {
  const [cell] = shared.cells;
  const { router } = await routed(cell === undefined ? [] : [cell]);
  for (const [method, path, body] of REQUESTS) {
    const answer = await fetch(router.admin + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: 'admin-disabled' });
  }
});

test('what is mandatory is named, all of it at once', async () => {
  const { ask } = shared;
  for (const [method, path, whole] of REQUESTS.filter(([, , body]) => body !== WHY)) {
    for (const body of [{}, undefined]) {
      const answer = await ask(method, path, body);
      expect(answer).toMatchObject({ status: 400, body: { code: 'admin-invalid' } });
      for (const name of Object.keys(whole)) expect(answer.body['title']).toContain(`${name}: `);
    }
  }
});

test('a body that is no object is a 400', async () => {
  const { ask } = shared;
  for (const [method, path] of REQUESTS) {
    expect(await ask(method, path, '[]')).toMatchObject({ status: 400, body: { code: 'admin-invalid' } });
  }
});

test.each(ENDS)('%s %s can be asked for without a body', async (...end) => {
  const [method, path] = end;
  for (const body of [undefined, '', {}]) expect((await shared.ask(method, path, body)).status).toBe(200);
});

test.each(ENDS)(
  'what %s %s ends without a word is the actor’s, and says so',
  async (method, path, reason) => {
    const { ask, events } = await operated();
    await (path.includes('pins')
      ? ask('PUT', path, { ...STAY, cell: 'cell-b' })
      : ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 }));
    expect((await ask(method, path)).status).toBe(200);
    expect((await events()).slice(0, 2)).toMatchObject([
      { actor: 'anna', reason, details: { phase: 'open' } },
      { actor: 'anna', reason, details: { phase: 'closing', owner: 'anna' } },
    ]);
  },
);

test.each([
  [{ percent: 0 }, 'percent'],
  [{ percent: 101 }, 'percent'],
  [{ percent: 1.5 }, 'percent'],
  [{ percent: '50' }, 'percent'],
  [{ expiresIn: 0 }, 'expiresIn'],
  [{ expiresIn: 604_801 }, 'expiresIn'],
  [{ expiresIn: 1.5 }, 'expiresIn'],
  [{ reason: ' ' }, 'reason'],
  [{ reason: 'x'.repeat(201) }, 'reason'],
  [{ owner: 7 }, 'owner'],
  [{ override: 'target-up' }, 'override'],
  [{ override: [7] }, 'override.0'],
  [{ frobnicate: 1 }, 'frobnicate'],
])('a drain with %j is a 400 that names it', async (wrong, name) => {
  const { ask, cellNow } = shared;
  const { status, body } = await ask('POST', '/v1/cells/cell-a/drain', { percent: 50, ...STAY, ...wrong });
  expect([status, body['code'], body['title']]).toEqual([
    400,
    'admin-invalid',
    expect.stringMatching(`^${name}: `),
  ]);
  expect(await cellNow('cell-a')).toMatchObject({ epoch: 1 });
});

test('what ends something takes no end of its own', async () => {
  const { ask } = shared;
  for (const [method, path] of REQUESTS.filter(([, , body]) => body === WHY)) {
    expect(await ask(method, path, STAY)).toMatchObject({
      status: 400,
      body: { title: expect.stringMatching(/^expiresIn: /) as string },
    });
  }
});

test('a body that is not JSON is a 400', async () => {
  const { ask } = shared;
  expect(await ask('POST', '/v1/cells/cell-a/restore', '{')).toMatchObject({
    status: 400,
    body: { code: 'admin-invalid' },
  });
});

test('a cell that is not there is not found', async () => {
  const { ask } = shared;
  for (const [method, path, body] of REQUESTS) {
    if (path.includes('pins')) continue;
    const answer = await ask(method, path.replace('cell-a', 'cell-z'), body);
    expect(answer).toMatchObject({ status: 404, body: { code: 'not-found' } });
  }
});

test.each(['a%20b', 'a,b', 'a'.repeat(129), '%zz', '%e9'])(
  'the tenant %s can not be pinned',
  async (tenant) => {
    const { ask } = shared;
    for (const [method, body] of [
      ['PUT', { ...STAY, cell: 'cell-b' }],
      ['DELETE', WHY],
    ] as const) {
      const answer = await ask(method, `/v1/pins/${tenant}`, body);
      expect(answer).toMatchObject({ status: 400, body: { code: 'admin-invalid' } });
    }
  },
);

test('a pin is to the home or to its neighbour', async () => {
  const { ask } = shared;
  expect(await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-c' })).toMatchObject({
    status: 409,
    body: { code: 'safety-rule', rule: 'third-cell' },
  });
  expect(await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-z' })).toMatchObject({
    status: 400,
    body: { code: 'admin-invalid', title: expect.stringMatching(/^cell: unknown/) as string },
  });
});

test('a single cell has nobody to hand tenants to', async () => {
  const { ask } = await operated({}, 1);
  expect(await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 })).toMatchObject({
    status: 409,
    body: { code: 'safety-rule', rule: 'no-neighbour' },
  });
});

test('a neighbour that is down is a safety rule', async () => {
  const { ask, cells, cellNow } = await operated();
  await cells[1]?.die();
  await until('it is known to be down', async () => (await cellNow('cell-b'))['state'] === 'failed-over');
  for (const override of [[], ['caught-up', 'frobnicate']]) {
    for (const [path, method, more] of [
      ['/v1/cells/cell-a/drain', 'POST', { percent: 50 }],
      ['/v1/pins/acme', 'PUT', { cell: 'cell-b' }],
      ['/v1/cells/cell-a/fail-over', 'POST', {}],
    ] as const) {
      const answer = await ask(method, path, { ...STAY, ...more, override });
      expect(answer).toMatchObject({ status: 409, body: { code: 'safety-rule', rule: 'target-up' } });
    }
  }
});

test('what is away by a verdict is not drained, and its way home is not the end of a drain', async () => {
  const { ask, cells, cellNow } = await operated({ MIN_DWELL_MS: '600000' });
  await cells[0]?.die();
  await until('it failed over', async () => (await cellNow('cell-a'))['state'] === 'failed-over');
  const away = { status: 409, body: { code: 'safety-rule', rule: 'already-away' } };
  expect(await ask('POST', '/v1/cells/cell-a/drain', { ...STAY, percent: 50 })).toMatchObject(away);
  expect(await ask('DELETE', '/v1/cells/cell-a/drain', WHY)).toMatchObject(away);
  expect(await ask('PUT', '/v1/pins/acme', { ...STAY, cell: 'cell-b' })).toMatchObject(away);
  expect(await ask('POST', '/v1/cells/cell-a/restore', WHY)).toMatchObject({
    status: 409,
    body: { rule: 'target-up' },
  });
});

test('an operator keeps away what is away by a verdict, for as long as he says', async () => {
  const { ask, cells, cellNow, events } = await operated({ MIN_DWELL_MS: '600000' });
  await cells[0]?.die();
  await until('it failed over', async () => (await cellNow('cell-a'))['state'] === 'failed-over');
  for (const [path, more, state] of [
    ['fail-over', {}, 'failed-over'],
    ['drain', { percent: 100 }, 'drained'],
    ['fail-over', { expiresIn: 7_200 }, 'drained'],
  ] as const) {
    const epoch = Number((await cellNow('cell-a'))['epoch']) + 1;
    expect(await ask('POST', `/v1/cells/cell-a/${path}`, { ...STAY, ...more })).toMatchObject({
      status: 200,
      body: { state, epoch, share: 100, cause: 'operator', deadline: expect.any(String) },
    });
    expect((await events())[0]).toMatchObject({ epoch, actor: 'anna', to: state });
  }
});

test('each of two cells can not stand in for the other', async () => {
  const { ask } = await operated({}, 2);
  await ask('POST', '/v1/cells/cell-b/fail-over', STAY);
  for (const [method, path, more] of [
    ['POST', '/v1/cells/cell-a/drain', { percent: 50 }],
    ['PUT', '/v1/pins/acme', { cell: 'cell-b' }],
    ['POST', '/v1/cells/cell-a/fail-over', {}],
  ] as const) {
    const answer = await ask(method, path, { ...STAY, ...more });
    expect(answer).toMatchObject({ status: 409, body: { rule: 'target-away' } });
  }
});

test('the end of a drain, and of a pin, that is not there changes nothing', async () => {
  const { ask, cellNow } = await operated();
  for (const path of ['/v1/cells/cell-a/drain', '/v1/pins/acme']) {
    expect(await ask('DELETE', path, WHY)).toMatchObject({ status: 200, body: { home: 'cell-a', share: 0 } });
  }
  expect(await cellNow('cell-a')).toMatchObject({ share: 0, pins: 0, phase: 'open' });
});

test('a client that hangs up is not waited for', async () => {
  const { router, cellNow } = await operated(PATIENT);
  const gone = new AbortController();
  const asked = fetch(`${router.admin}/v1/cells/cell-a/drain`, {
    method: 'POST',
    signal: gone.signal,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...STAY, percent: 50 }),
  });
  const ended = expect(asked).rejects.toThrow(/abort/);
  await until('it is asked for', async () => Number((await cellNow('cell-a'))['epoch']) > 1);
  gone.abort();
  await ended;
  expect(await router.stop()).toBe(0);
});
