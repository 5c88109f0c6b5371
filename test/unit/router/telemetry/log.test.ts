// The log of the router as a whole.
import { expect, test } from 'vitest';
import { createLog } from '../../../../router/telemetry/log.ts';

test('the level of the log is that of the settings', () => {
  const log = createLog({ LOG_LEVEL: 'silent', ROUTER_ID: 'router-1' });
  expect(log.level).toBe('silent');
  expect(log.bindings()).toEqual({ router: 'router-1' });
});
