// Copies of what is lent, for as long as a client has not taken them: the same few buffers again and again.

/** As much as is read of a cell at once. */
const COPY_BYTES = 65_536;
/** So many are kept for the next ones: what is beyond them is garbage. */
const KEPT_MOST = 64;

const free: Buffer[] = [];

export type Copy = { bytes: Buffer; done: (error?: Error | null) => void };

/**
 * A copy of `part`, and what is to be called once it is written, or can not be. Measured with answers of 64 KiB: a new
 * buffer for each took a quarter of the time, to be made and to be collected.
 */
export function copyOf(part: Buffer): Copy {
  if (part.length > COPY_BYTES) return { bytes: Buffer.from(part), done: () => undefined };
  const whole = free.pop() ?? Buffer.allocUnsafeSlow(COPY_BYTES);
  part.copy(whole);
  const done = (error?: Error | null): void => {
    // Of one that could not be written nobody knows who still has it.
    if ((error === undefined || error === null) && free.length < KEPT_MOST) free.push(whole);
  };
  return { bytes: whole.subarray(0, part.length), done };
}
