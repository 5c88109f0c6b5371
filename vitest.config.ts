// Projects, so that `vitest run --project unit` stays quick. `npm test` runs all of them.
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The tests start hundreds of processes of the same few programs.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled');

/** Most tests wait for processes and time-outs: more of them than cores run side by side. */
const SIDE_BY_SIDE = 4;

export default defineConfig({
  test: {
    reporters: ['default', './test/support/plain-summary.ts'],
    maxWorkers: SIDE_BY_SIDE,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Whole fleets under load: behind all else, and two of them at a time.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
