// How every wrong setting and every wrong file is told: one line a fault, all of them at once.
import type { z } from 'zod';

/** One thing that is wrong, with the place it is at (`cells.cell-a.origin`) and what would be allowed there. */
export type Fault = { path: string; problem: string };

/** The line a person reads: `path: problem`. */
export function faultLine(fault: Fault): string {
  return fault.path === '' ? fault.problem : `${fault.path}: ${fault.problem}`;
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

/** Of a union's branches the one that the writer most likely meant: the fewest faults, and not of another type. */
function meantBranch(branches: readonly Issue[][]): Issue[] | undefined {
  const size = (issues: readonly Issue[]): number =>
    issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);
  const ofType = branches.filter(
    (issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0),
  );
  return ofType.sort((a, b) => size(a) - size(b))[0];
}
