// How every wrong setting and every wrong file is told: one line a fault, all of them at once.
import type { z } from 'zod';

/** One thing that is wrong, with the place it is at (`cells.cell-a.origin`) and what would be allowed there. */
export type Fault = { path: string; problem: string };

/** The line a person reads: `path: problem`. */
export function faultLine(fault: Fault): string {
  return spelledOut(fault.path === '' ? fault.problem : `${fault.path}: ${fault.problem}`);
}

/** One line whatever was written: control characters are spelled out. */
export function spelledOut(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

type Issue = z.core.$ZodIssue;

/** The faults of a failed zod validation; an unknown key is a fault of its own, at its own path. */
export function faultsOf(error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(issue, []));
}

function faultsOfIssue(issue: Issue, parent: readonly PropertyKey[]): Fault[] {
  const path = [...parent, ...issue.path];
  const place = path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: `${place}${place === '' ? '' : '.'}${key}`,
      problem: issue.message,
    }));
  }
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) {
    return [{ path: place, problem: issue.issues[0].message }];
  }
  if (issue.code === 'invalid_union') {
    const meant = meantBranch(issue.errors);
    if (meant !== undefined) return meant.flatMap((inner) => faultsOfIssue(inner, path));
  }
  return [{ path: place, problem: issue.message }];
}

/**
 * Of a union's branches the one that the writer meant: not of another type, and with the fewest keys that it does not
 * know. Undefined where that can not be told.
 */
function meantBranch(branches: readonly Issue[][]): Issue[] | undefined {
  const strangers = (issues: readonly Issue[]): number =>
    issues.reduce((sum, { code, path, ...issue }) => {
      const unknown = code === 'unrecognized_keys' && path.length === 0 && 'keys' in issue;
      return unknown ? sum + issue.keys.length : sum;
    }, 0);
  const [best, second] = branches
    .filter((issues) => !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0))
    .map((issues) => ({ issues, strangers: strangers(issues) }))
    .sort((a, b) => a.strangers - b.strangers);
  return best?.strangers === second?.strangers ? undefined : best?.issues;
}
