// What every process of a run is given of our own environment: as little as it can start with.

/** PATH and, where this run keeps one, the cache of compiled code: a router starts in two thirds of the time with it. */
export function childEnv(env: Record<string, string> = {}): Record<string, string> {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return {
    PATH: PATH ?? '',
    ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }),
    ...env,
  };
}
