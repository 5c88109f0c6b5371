// What was started and is to be ended again, the last part first; also where a part after it does not start.

/** How each part is ended, in the order in which they were started. */
export type Ends = (() => Promise<unknown>)[];

/** Starts the parts, each of which adds how it is ended. What was started has ended when this throws. */
export async function startWithEnds<T extends object>(
  start: (ends: Ends) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const ends: Ends = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await start(ends)), close };
  } catch (error) {
    await close();
    throw error;
  }
}
