// Step 1 of a request: who is it for? All sources of the fleet are evaluated and must agree.
import type { RequestHead } from './request-head.ts';
import type { Fleet, TenantSource } from './fleet/fleet.ts';
import type { RefusalCode } from './errors.ts';
import type { TokenVerifier } from './token.ts';
import { decodeHeaderValue, isTenantId, TENANT_ID_ALLOWED } from './tenant-id.ts';

export type TenantAnswer = { tenant: string } | { refusal: RefusalCode; detail: string };

/**
 * The tenant of a request, or why there is none: `tenant-unverified` and `keys-unavailable` before `tenant-invalid`
 * before `tenant-conflict` before `tenant-missing`. Answers at once unless a bearer token has to be verified.
 */
export function findTenant(
  head: RequestHead,
  fleet: Fleet,
  tokens: TokenVerifier,
): TenantAnswer | Promise<TenantAnswer> {
  const found: string[] = [];
  for (const source of fleet.sources) {
    if (source.kind === 'jwt') return findWithTokens(head, fleet, tokens);
    collect(head, source, found);
  }
  return agree(found);
}

async function findWithTokens(head: RequestHead, fleet: Fleet, tokens: TokenVerifier): Promise<TenantAnswer> {
  const found: string[] = [];
  for (const source of fleet.sources) {
    if (source.kind !== 'jwt') {
      collect(head, source, found);
      continue;
    }
    const answer = await tokens.claimOf(head, source.jwt);
    if ('refusal' in answer) return answer;
    if (answer.claim !== null) found.push(answer.claim);
  }
  return agree(found);
}

function agree(found: readonly string[]): TenantAnswer {
  const [tenant] = found;
  if (tenant === undefined)
    return { refusal: 'tenant-missing', detail: 'No source of this fleet names one.' };
  for (const other of found) {
    if (!isTenantId(other)) return { refusal: 'tenant-invalid', detail: `Allowed: ${TENANT_ID_ALLOWED}.` };
  }
  for (const other of found) {
    if (other !== tenant)
      return { refusal: 'tenant-conflict', detail: 'The sources of this fleet disagree.' };
  }
  return { tenant };
}

function collect(head: RequestHead, source: Exclude<TenantSource, { kind: 'jwt' }>, found: string[]): void {
  if (source.kind === 'header') collectHeader(head, source, found);
  else if (source.kind === 'subdomain') collectSubdomain(head, source.base, found);
  else collectPath(head, source, found);
}

/** What can not be decoded is kept as a value that no syntax check passes: malformed is not the same as absent. */
const UNDECODABLE = '';

function collectHeader(head: RequestHead, source: { name: string; trusted: boolean }, found: string[]): void {
  if (source.trusted && !head.fromTrustedProxy) return;
  const { rawHeaders } = head;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length === source.name.length && name.toLowerCase() === source.name) {
      found.push(decodeHeaderValue(rawHeaders[i + 1] ?? '') ?? UNDECODABLE);
    }
  }
}

/** What a host name is made of (RFC 1123, section 2.1); other scripts come as `xn--…`. */
const LABEL = /^[a-z0-9_-]+$/;

/** Exactly one label under the base names a tenant: `acme.example.com`. Host names know no case (RFC 4343). */
function collectSubdomain(head: RequestHead, base: string, found: string[]): void {
  const host = head.host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
  if (!host.endsWith(`.${base}`)) return;
  const label = host.slice(0, -base.length - 1);
  if (label !== '' && !label.includes('.')) found.push(LABEL.test(label) ? label : UNDECODABLE);
}

function collectPath(
  head: RequestHead,
  source: { segments: readonly string[]; tenantAt: number },
  found: string[],
): void {
  const segments = head.path.slice(1).split('/', source.segments.length);
  if (segments.length < source.segments.length) return;
  if (!source.segments.every((literal, i) => i === source.tenantAt || literal === segments[i])) return;
  try {
    const segment = decodeHeaderValue(segments[source.tenantAt] ?? '');
    found.push(segment === null ? UNDECODABLE : decodeURIComponent(segment));
  } catch {
    found.push(UNDECODABLE);
  }
}
