// Bearer tokens: verifies a JWT (RFC 7519, RFC 8725) with keys that are cached, and reads the tenant's claim.
import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import type { RefusalCode } from './errors.ts';
import type { JwtSource } from './fleet/fleet.ts';
import { isUrl } from './fleet/schema.ts';
import type { RequestHead } from './request-head.ts';

export type ClaimAnswer =
  | { /** Null: the request carries no bearer token. */ claim: string | null }
  | { refusal: Extract<RefusalCode, 'tenant-unverified' | 'keys-unavailable'>; detail: string };

/** Known keys stay good while their source is away: they are renewed beside the requests, never before them. */
const RENEW_KEYS_MS = 300_000;
const FETCH_TIMEOUT_MS = 2_000;
/** An unknown key ID asks the source again at most this often, so that junk tokens are no lever against it. */
const COOLDOWN_MS = 10_000;
const CLOCK_TOLERANCE_S = 5;

type Keys = { find: JWTVerifyGetKey; renew: () => Promise<void>; renewedAt: number };

export class TokenVerifier {
  readonly #keys = new Map<string, Keys>();
  readonly #cooldownMs: number;
  readonly #renewMs: number;

  /** `cooldownMs`: between two questions about unknown keys. `renewMs`: how old keys are when they are renewed. */
  constructor(times: { cooldownMs?: number; renewMs?: number } = {}) {
    this.#cooldownMs = times.cooldownMs ?? COOLDOWN_MS;
    this.#renewMs = times.renewMs ?? RENEW_KEYS_MS;
  }

  /** The claim of the request's bearer token. A token that can not be trusted is a refusal, never "no tenant". */
  async claimOf(head: RequestHead, source: JwtSource): Promise<ClaimAnswer> {
    const tokens = bearerTokens(head);
    const [token] = tokens;
    if (token === undefined) return { claim: null };
    if (tokens.length > 1) return unverified('More than one bearer token.');
    const keys = this.#keysOf(source.jwks);
    this.#renewBeside(keys);
    try {
      const { payload } = await jwtVerify(token, keys.find, {
        issuer: source.issuer,
        audience: source.audience,
        algorithms: source.algorithms,
        clockTolerance: CLOCK_TOLERANCE_S,
      });
      const claim = payload[source.claim];
      return typeof claim === 'string' ? { claim } : unverified('The token names no tenant.');
    } catch (error) {
      return refusalOf(error);
    }
  }

  #keysOf(jwks: string): Keys {
    const known = this.#keys.get(jwks);
    if (known !== undefined) return known;
    const keys = isUrl(jwks) ? remoteKeys(jwks, this.#cooldownMs) : fileKeys(jwks, this.#cooldownMs);
    this.#keys.set(jwks, keys);
    return keys;
  }

  #renewBeside(keys: Keys): void {
    if (performance.now() - keys.renewedAt < this.#renewMs) return;
    keys.renewedAt = performance.now();
    // A source that is away changes nothing: the keys at hand go on verifying.
    keys.renew().catch(() => undefined);
  }
}

/** RFC 6750, section 2.1. A credential of another scheme is no bearer token. */
function bearerTokens({ rawHeaders }: RequestHead): string[] {
  const tokens: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] ?? '').toLowerCase() !== 'authorization') continue;
    // Whatever follows the scheme is the token: one that is empty or has blanks is a bad one, not none.
    const match = /^Bearer(?![^ \t])[ \t]*(.*)$/i.exec(rawHeaders[i + 1] ?? '');
    if (match !== null) tokens.push(match[1] ?? '');
  }
  return tokens;
}

function remoteKeys(url: string, cooldownMs: number): Keys {
  const find = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: cooldownMs,
    cacheMaxAge: Number.POSITIVE_INFINITY,
  });
  return { find, renew: () => find.reload(), renewedAt: performance.now() };
}

function fileKeys(path: string, cooldownMs: number): Keys {
  let current: JWTVerifyGetKey | null = null;
  let readAt = Number.NEGATIVE_INFINITY;
  const renew = async (): Promise<void> => {
    readAt = performance.now();
    current = createLocalJWKSet(JSON.parse(await readFile(path, 'utf8')));
  };
  const find: JWTVerifyGetKey = async (header, token) => {
    if (current === null) await renew();
    try {
      return await present(current)(header, token);
    } catch (error) {
      const unknownKey = error instanceof errors.JWKSNoMatchingKey;
      if (!unknownKey || performance.now() - readAt < cooldownMs) throw error;
      await renew();
      return await present(current)(header, token);
    }
  };
  return { find, renew, renewedAt: performance.now() };
}

function present(keys: JWTVerifyGetKey | null): JWTVerifyGetKey {
  if (keys === null) throw new errors.JWKSInvalid('no keys');
  return keys;
}

function unverified(detail: string): ClaimAnswer {
  return { refusal: 'tenant-unverified', detail };
}

/** What a token got wrong is told in the words of this file: the library's may quote the token. */
function refusalOf(error: unknown): ClaimAnswer {
  if (error instanceof errors.JWTExpired) return unverified('The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed)
    return unverified('A claim of the token is not as expected.');
  if (error instanceof errors.JOSEAlgNotAllowed)
    return unverified('The algorithm of the token is not allowed.');
  if (error instanceof errors.JWKSNoMatchingKey)
    return unverified('The token is signed with an unknown key.');
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return unverified('The signature does not match.');
  const aboutToken = [
    errors.JWTInvalid,
    errors.JWSInvalid,
    errors.JOSENotSupported,
    errors.JWKSMultipleMatchingKeys,
  ];
  if (aboutToken.some((kind) => error instanceof kind))
    return unverified('The token is not a well-formed JWT.');
  return { refusal: 'keys-unavailable', detail: 'The source of the keys does not answer, or has none.' };
}
