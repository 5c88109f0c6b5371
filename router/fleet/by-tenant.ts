// The parts of the fleet file whose keys are tenants: each tenant ID and its value are judged, and what is sound is kept.
import type { z } from 'zod';
import { faultsOf, type Fault } from '../faults.ts';
import { isTenantId, TENANT_ID_ALLOWED } from '../tenant-id.ts';
import type { Rate, Rates } from './fleet.ts';
import type { ByTenant } from './read-yaml.ts';
import { pinSchema, rateSchema, type FleetFile } from './schema.ts';

export type Pins = Map<string, z.infer<typeof pinSchema>>;

type FileRate = z.infer<typeof rateSchema>;

/** The pins that are well formed; what is wrong with the others is added to `faults`. */
export function validPins(written: ByTenant, faults: Fault[]): Pins {
  return validByTenant('pins', written, pinSchema, faults);
}

/** The same of the rates that tenants have of their own. */
export function validRates(written: ByTenant, faults: Fault[]): Map<string, FileRate> {
  return validByTenant('rateLimit.tenants', written, rateSchema, faults);
}

export function toRates(file: FleetFile['rateLimit'], tenants: ReadonlyMap<string, FileRate>): Rates {
  const { rps, burst } = file ?? {};
  return {
    others: rps === undefined ? null : toRate({ rps, burst }),
    tenants: new Map(Array.from(tenants, ([tenant, rate]) => [tenant, toRate(rate)])),
  };
}

function toRate({ rps, burst }: { rps: number; burst?: number | undefined }): Rate {
  return { rps, burst: burst ?? rps };
}

function validByTenant<T>(
  section: string,
  written: ByTenant,
  schema: z.ZodType<T>,
  faults: Fault[],
): Map<string, T> {
  const valid = new Map<string, T>();
  for (const [tenant, value] of written) {
    const path = `${section}.${tenant}`;
    if (!isTenantId(tenant))
      faults.push({ path, problem: `not a tenant ID (allowed: ${TENANT_ID_ALLOWED})` });
    const parsed = schema.safeParse(value);
    if (parsed.success) valid.set(tenant, parsed.data);
    else faults.push(...faultsOf(parsed.error).map((fault) => under(path, fault)));
  }
  return valid;
}

function under(path: string, fault: Fault): Fault {
  return { path: fault.path === '' ? path : `${path}.${fault.path}`, problem: fault.problem };
}
