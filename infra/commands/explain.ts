// `cellgate explain <tenant>`: who serves a tenant now, and why.
import { spelledOut } from '../../router/faults.ts';
import { askAdmin } from './admin.ts';

/** The answer of `GET /v1/tenants/:tenant`. `cell` and `role` are null while the tenant would be refused. */
export type Explanation = {
  tenant: string;
  bucket: number;
  home: string;
  neighbour: string | null;
  pin: string | null;
  cell: string | null;
  role: string | null;
  epoch: number;
  reason: string;
};

/** A few lines for a person, the first of which says who serves. */
export function explanationText(told: Explanation): string {
  const served = told.cell === null ? 'is served by no cell now' : `is served by ${told.cell} (${told.role})`;
  const placed = told.pin === null ? `bucket ${told.bucket}` : `pinned to ${told.pin}, bucket ${told.bucket}`;
  const lines = [
    `${told.tenant} ${served}`,
    `  home       ${told.home}, ${placed}`,
    `  neighbour  ${told.neighbour ?? 'none'}`,
    `  epoch      ${told.epoch}`,
    `  why        ${told.reason}`,
  ];
  // A reason may hold what an operator wrote.
  return lines.map(spelledOut).join('\n');
}

/** What to print. Throws a `Failure` when no router answers. */
export async function explain(tenant: string, { json }: { json?: boolean }): Promise<string> {
  const told = await askAdmin(`/v1/tenants/${encodeURIComponent(tenant)}`);
  return json === true ? JSON.stringify(told, null, 2) : explanationText(told as Explanation);
}
