// The ids of the audit log: `<milliseconds>-<count>`, as Redis streams give them.

const FORM = /^(\d{1,15})(?:-(\d{1,15}))?$/;

/** Whether `id` has the form of an event's id. Reading events after anything else throws `RangeError`. */
export function isEventId(id: string): boolean {
  return FORM.test(id);
}

/** Negative, 0 or positive as `a` is older than `b`, the same, or newer. Throws `RangeError` for what is no id. */
export function eventIdOrder(a: string, b: string): number {
  const [aMs, aCount] = partsOf(a);
  const [bMs, bCount] = partsOf(b);
  return aMs - bMs || aCount - bCount;
}

function partsOf(id: string): [number, number] {
  const [whole, ms, count = '0'] = FORM.exec(id) ?? [];
  if (whole === undefined) throw new RangeError('not an event id');
  return [Number(ms), Number(count)];
}
