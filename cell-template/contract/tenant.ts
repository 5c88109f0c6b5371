// Whose request it is: the tenant, from the x-tenant-id header alone.
import type { IncomingMessage } from 'node:http';

const MAX_TENANT_BYTES = 128;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The request names no tenant, or none that can be one. The message may reach the client. */
export class TenantError extends Error {
  override name = 'TenantError';
  readonly statusCode = 400;
  readonly code: 'tenant-missing' | 'tenant-invalid';

  constructor(code: 'tenant-missing' | 'tenant-invalid', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The tenant of a request: 1 to 128 bytes of UTF-8 without control characters; '' where the request names none. Throws
 * `TenantError` `tenant-invalid` for any other value and for a header sent twice.
 */
export function tenantIfAny({ raw }: { raw: IncomingMessage }): string {
  const values = raw.headersDistinct['x-tenant-id'] ?? [];
  const [value = ''] = values;
  if (values.length > 1) throw new TenantError('tenant-invalid', 'x-tenant-id was sent more than once');
  // Node hands header bytes over as latin1, one character a byte (RFC 9110, section 5.5).
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length > MAX_TENANT_BYTES)
    throw new TenantError('tenant-invalid', `x-tenant-id is longer than ${MAX_TENANT_BYTES} bytes`);
  return decoded(bytes);
}

function decoded(bytes: Buffer): string {
  let tenant: string;
  try {
    tenant = utf8.decode(bytes);
  } catch (cause) {
    throw new TenantError('tenant-invalid', 'x-tenant-id is not UTF-8', { cause });
  }
  if (/\p{Cc}/u.test(tenant))
    throw new TenantError('tenant-invalid', 'x-tenant-id holds a control character');
  return tenant;
}
