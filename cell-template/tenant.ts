// Whose request it is: the tenant, from the x-tenant-id header alone.
import type { FastifyRequest } from 'fastify';
import { Refusal } from './errors.ts';

const MAX_TENANT_BYTES = 128;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The tenant of a request: 1 to 128 bytes of UTF-8 without control characters. Throws `Refusal` `tenant-missing`, or
 * `tenant-invalid` for any other value and for a header sent twice.
 */
export function tenantOf(request: FastifyRequest): string {
  const values = request.raw.headersDistinct['x-tenant-id'] ?? [];
  const [value = ''] = values;
  if (values.length > 1) throw new Refusal('tenant-invalid', 'x-tenant-id was sent more than once');
  if (value === '') throw new Refusal('tenant-missing', 'the header x-tenant-id is required');
  // Node hands header bytes over as latin1, one character a byte (RFC 9110, section 5.5).
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length > MAX_TENANT_BYTES)
    throw new Refusal('tenant-invalid', `x-tenant-id is longer than ${MAX_TENANT_BYTES} bytes`);
  return decoded(bytes);
}

function decoded(bytes: Buffer): string {
  let tenant: string;
  try {
    tenant = utf8.decode(bytes);
  } catch (cause) {
    throw new Refusal('tenant-invalid', 'x-tenant-id is not UTF-8', { cause });
  }
  if (/\p{Cc}/u.test(tenant)) throw new Refusal('tenant-invalid', 'x-tenant-id holds a control character');
  return tenant;
}
