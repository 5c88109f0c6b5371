// One machine's opinion of one cell: when it changes, and when it must not.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Opinion } from '../../../../../router/health/cells/opinion.ts';

const FALL = 3;
const RISE = 4;

function fresh(): Opinion {
  return new Opinion(FALL, RISE);
}

function up(): Opinion {
  const opinion = fresh();
  opinion.probeSucceeded();
  return opinion;
}

function fail(opinion: Opinion, times: number): Opinion {
  for (let i = 0; i < times; i += 1) opinion.observeFailure('unreachable', 'connection refused');
  return opinion;
}

function down(): Opinion {
  return fail(up(), FALL);
}

/** `bad` gateway errors after `good` ordinary answers, at one moment, to two tenants in turn or to one alone. */
function answer(opinion: Opinion, good: number, bad: number, nowMs = 0, tenants = ['acme', 'bolt']): Opinion {
  for (let i = 0; i < good + bad; i += 1) {
    opinion.observeAnswer(i >= good, tenants[i % tenants.length] ?? null, nowMs);
  }
  return opinion;
}

test('nothing is known at first, and nothing is voted', () => {
  expect([fresh().state, fresh().vote, fresh().unreachable]).toEqual(['unknown', undefined, false]);
});

test('the very first good probe is enough', () => {
  expect(up().vote).toEqual({ opinion: 'up' });
});

test('as many failures in a row as FALL make a cell down, and no fewer', () => {
  expect(fail(up(), FALL - 1).state).toBe('up');
  expect(fail(up(), FALL).vote).toEqual({
    opinion: 'down',
    evidence: 'unreachable',
    reason: 'connection refused',
  });
});

test('a cell that was never good needs as many failures to be down', () => {
  expect(fail(fresh(), FALL - 1).state).toBe('unknown');
  expect(fail(fresh(), FALL).state).toBe('down');
});

test('a good probe between them ends a row of failures', () => {
  const opinion = fail(up(), FALL - 1);
  opinion.probeSucceeded();
  expect(fail(opinion, FALL - 1).state).toBe('up');
});

test('a good answer of the traffic does not end it: an old connection may live on', () => {
  const opinion = fail(up(), FALL - 1);
  opinion.observeAnswer(false, 'acme', 0);
  expect(fail(opinion, 1).state).toBe('down');
});

test('a cell that is down needs as many good probes in a row as RISE', () => {
  const opinion = down();
  for (let i = 0; i < RISE - 1; i += 1) opinion.probeSucceeded();
  expect(opinion.state).toBe('down');
  opinion.probeSucceeded();
  expect(opinion.state).toBe('up');
});

test('a failure between them starts the row of good probes anew', () => {
  const opinion = down();
  for (let i = 0; i < RISE - 1; i += 1) opinion.probeSucceeded();
  fail(opinion, 1);
  for (let i = 0; i < RISE - 1; i += 1) opinion.probeSucceeded();
  expect(opinion.state).toBe('down');
});

test('with FALL and RISE of one every observation counts at once', () => {
  const opinion = fail(new Opinion(1, 1), 1);
  expect(opinion.state).toBe('down');
  opinion.probeSucceeded();
  expect(opinion.state).toBe('up');
});

test('one good probe makes a cell worth trying again, though not up', () => {
  const opinion = down();
  expect([opinion.state, opinion.unreachable]).toEqual(['down', true]);
  opinion.probeSucceeded();
  expect([opinion.state, opinion.unreachable]).toEqual(['down', false]);
  fail(opinion, 1);
  expect(opinion.unreachable).toBe(true);
});

test('a cell that is ill is down without being unreachable', () => {
  const opinion = up();
  for (let i = 0; i < FALL; i += 1) opinion.observeFailure('self-declared', 'says it is down');
  expect([opinion.state, opinion.unreachable]).toEqual(['down', false]);
});

test('while it is down the vote says what it suffers from now', () => {
  const opinion = down();
  opinion.observeFailure('failing', 'health answered 500');
  expect(opinion.vote).toEqual({ opinion: 'down', evidence: 'failing', reason: 'health answered 500' });
  expect(opinion.unreachable).toBe(false);
});

test('half of the answers being gateway errors condemns a cell', () => {
  expect(answer(up(), 10, 10).vote).toEqual({
    opinion: 'down',
    evidence: 'failing',
    reason: '10 of 20 answers were gateway errors',
  });
});

test('less than half does not', () => {
  expect(answer(up(), 100, 99).state).toBe('up');
});

test('fewer than twenty answers condemn nobody, bad as they are', () => {
  expect(answer(up(), 0, 19).state).toBe('up');
  expect(answer(up(), 0, 20).state).toBe('down');
});

test('answers are counted within two seconds', () => {
  const opinion = answer(up(), 0, 19, 1_000);
  expect(answer(opinion, 0, 1, 3_001).state).toBe('up');
});

test('answers of two seconds are counted together', () => {
  const opinion = answer(up(), 0, 19, 1_000);
  expect(answer(opinion, 0, 1, 3_000).state).toBe('down');
});

test('good answers alone make no cell up', () => {
  expect(answer(down(), 1_000, 0).state).toBe('down');
});

test('what was counted before a cell came back is not held against it', () => {
  const opinion = answer(down(), 0, 100);
  for (let i = 0; i < RISE; i += 1) opinion.probeSucceeded();
  expect(answer(opinion, 0, 19).state).toBe('up');
});

test('one tenant’s gateway errors condemn nobody, many as they are', () => {
  expect(answer(up(), 0, 1_000, 0, ['acme']).state).toBe('up');
});

test('requests without a tenant count as one tenant’s', () => {
  const opinion = up();
  for (let i = 0; i < 100; i += 1) opinion.observeAnswer(true, null, 0);
  expect(opinion.state).toBe('up');
});

test('a second tenant’s first bad answer does not make the first one’s believed, a few more do', () => {
  const opinion = answer(up(), 0, 100, 0, ['acme']);
  expect(answer(opinion, 0, 4, 0, ['bolt']).state).toBe('up');
  expect(answer(opinion, 0, 1, 0, ['bolt']).state).toBe('down');
});

test('a second tenant’s good answers do not witness against a cell', () => {
  const opinion = answer(up(), 20, 0, 0, ['bolt']);
  expect(answer(opinion, 0, 100, 0, ['acme']).state).toBe('up');
});

type Step = 'probe' | 'failure' | 'good' | 'bad';
const histories = fc.array(fc.constantFrom<Step>('probe', 'failure', 'good', 'bad'), { maxLength: 300 });

function act(opinion: Opinion, step: Step, tenant = 'acme'): void {
  if (step === 'probe') opinion.probeSucceeded();
  else if (step === 'failure') opinion.observeFailure('unreachable', 'connection refused');
  else opinion.observeAnswer(step === 'bad', tenant, 0);
}

test('whatever happened, as many good probes in a row as RISE make a cell up', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const opinion = fresh();
      for (const step of steps) act(opinion, step);
      for (let i = 0; i < RISE; i += 1) opinion.probeSucceeded();
      expect(opinion.state).toBe('up');
    }),
  );
});

test('a cell goes down by as many failures without a good probe as FALL, or by ratio, and by nothing else', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const opinion = fresh();
      let failures = 0;
      for (const [i, step] of steps.entries()) {
        const before = opinion.state;
        act(opinion, step, i % 3 === 0 ? 'bolt' : 'acme');
        if (step === 'probe') failures = 0;
        if (step === 'failure') failures += 1;
        if (before === 'down' || opinion.state !== 'down') continue;
        const byRatio = opinion.vote?.opinion === 'down' && opinion.vote.evidence === 'failing';
        if (byRatio) expect(step).toBe('bad');
        else expect(failures).toBeGreaterThanOrEqual(FALL);
      }
    }),
  );
});

test('a cell comes up by a good probe alone', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const opinion = fresh();
      for (const step of steps) {
        const before = opinion.state;
        act(opinion, step);
        if (before !== 'up' && opinion.state === 'up') expect(step).toBe('probe');
      }
    }),
  );
});

test('a vote is cast exactly when there is an opinion, and says the same', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const opinion = fresh();
      for (const step of steps) {
        act(opinion, step);
        expect(opinion.vote?.opinion ?? 'unknown').toBe(opinion.state);
      }
    }),
  );
});
