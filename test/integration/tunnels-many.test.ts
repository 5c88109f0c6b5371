// Many tunnels, and large frames, at once: the size of a suite, for what the benchmark does with a thousand.
import { expect, test } from 'vitest';
import { playTunnels } from '../../loadtest/bench/tunnels.ts';

test.each([
  [100, 2_048],
  [8, 1_048_576],
])(
  '%i tunnels at once each get their frame of %i bytes back whole, and none is left',
  async (count, frameBytes) => {
    expect(await playTunnels({ count, frameBytes })).toMatchObject({
      opened: count,
      whole: count,
      leftOpen: 0,
    });
  },
);
