// When the user wants the local fleet to stop, and when at once.

/** The same Ctrl-C comes twice under npm, from the terminal and from npm itself, within milliseconds. */
const SAME_SIGNAL_MS = 300;

export type StopSignals = {
  /** Resolves at the first SIGINT, SIGTERM or SIGHUP. */
  stop: Promise<void>;
  /** Resolves at the next one. */
  atOnce: Promise<void>;
  /** True once a stop was asked for. */
  asked: () => boolean;
};

/** Takes the signals over from now on, for as long as the process lives. */
export function stopSignals(): StopSignals {
  const stop = Promise.withResolvers<void>();
  const atOnce = Promise.withResolvers<void>();
  let firstMs: number | undefined;
  const onSignal = (): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      stop.resolve();
    } else if (performance.now() - firstMs > SAME_SIGNAL_MS) atOnce.resolve();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return { stop: stop.promise, atOnce: atOnce.promise, asked: () => firstMs !== undefined };
}
