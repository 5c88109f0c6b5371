// What a client got, and whether that is what it should have got. Pure.
import type { Tenant } from './soak-fleet.ts';
import type { Weather } from './soak-weather.ts';

export type Answer = {
  /** 0: none came. */
  status: number;
  /** `x-cell-id`. */
  cell: string | null;
  /** Of the router's own refusals. */
  code: string | null;
  body: Buffer;
  /** False: it was cut off amid its body. */
  whole: boolean;
  /** Nothing more came for as long as anybody waits. */
  hung: boolean;
  /** The connection's error. */
  error: string | null;
};

export const NO_ANSWER: Answer = {
  status: 0,
  cell: null,
  code: null,
  body: Buffer.alloc(0),
  whole: false,
  hung: false,
  error: null,
};

/** When it was asked, and by whom. `performance.now()` milliseconds. */
export type Span = { of: Tenant; startedAtMs: number; endedAtMs: number };

export type Judgement = 'right' | 'excused' | 'wrong';

/** What a request that was inside a dying cell, had no cell for a while, or came to the neighbour as a guest may be told. */
const EXCUSES = new Set(['cell-connection-failed', 'cell-unavailable', 'cell-overloaded', 'cell-timeout']);

/**
 * `right`: the answer itself is as it should be. It must come from the home as well, or from its neighbour where tenants
 * may be away. Where a cell is lost it may be a failure, but never one of the router's own; and a WebSocket ends early
 * wherever its tenant gets another cell.
 */
export function judgeAnswer(
  right: boolean,
  answer: Answer,
  { of, ...span }: Span,
  weather: Weather,
): Judgement {
  if (answer.hung || !cameFrom(answer, { of, ...span }, weather)) return 'wrong';
  if (right) return 'right';
  const { status, code, whole } = answer;
  const during = [of.home, span.startedAtMs, span.endedAtMs] as const;
  if (status === 101 && weather.mayBeAway(...during)) return 'excused';
  const failed = code === null ? status === 200 && !whole : EXCUSES.has(code);
  return failed && weather.mayFail(...during) ? 'excused' : 'wrong';
}

function cameFrom({ cell }: Answer, { of, startedAtMs, endedAtMs }: Span, weather: Weather): boolean {
  if (cell === null || cell === of.home) return true;
  return cell === of.neighbour && weather.mayBeAway(of.home, startedAtMs, endedAtMs);
}

/** In a few words that are the same for the same fault, for counting. */
export function wordsOf({ status, code, cell, whole, hung, error }: Answer): string {
  const words = [String(status), code, cell, error];
  if (status > 0 && !whole) words.push('cut off');
  if (hung) words.push('hung');
  return words.filter((word) => word !== null).join(' ');
}
