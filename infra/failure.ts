// How a command ends when it can't do what was asked: sentences for the user, and an exit code.

/** Exit codes of every command. 0 is done. */
export const EXIT = { no: 1, badInput: 2 } as const;

/** One line per fault. The user sees the lines and never a stack trace. */
export class Failure extends Error {
  override name = 'Failure';
  readonly exitCode: number;

  /** `exitCode`: 1 the answer is no, or nobody answered · 2 bad input. */
  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The message of whatever was thrown, on one line. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, ' ');
}
