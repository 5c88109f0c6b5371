// Whether the bytes of a request mean one thing only: what two readers could take for two things goes to no cell.
import { METHODS } from 'node:http';
import type { RefusalCode } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { RequestHead } from './request-head.ts';

export type Objection = { code: RefusalCode; detail: string };

/** RFC 9110, section 4.2, and RFC 3986, section 3.2.2: a host and perhaps a port, without user information. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d{0,5})?$/i;

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const VISIBLE = /^[\x21-\x7e\x80-\xff]+$/;

/** What is wrong with the head of a request as a message (RFC 9112, RFC 9113), or null. Said before anybody asks what it wants. */
export function objectionTo(head: RequestHead): Objection | null {
  const { rawHeaders, version } = head;
  const fields = rawHeaders.length / 2;
  if (version !== '1.1' && version !== '1.0' && version !== '2')
    return malformed('Only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here.');
  let bytes = fields * 4;
  let hosts = 0;
  let upgrades = false;
  let coded = false;
  let objection: Objection | null = null;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const value = rawHeaders[i + 1] ?? '';
    bytes += name.length + value.length;
    // Four names matter: their lengths spare most fields a lower-case copy of the name.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1;
      if (version === '2' && value.toLowerCase() !== head.host.toLowerCase())
        objection ??= malformed('The Host is not the :authority.');
    } else if (name.length === 7) upgrades ||= name.toLowerCase() === 'upgrade';
    else if (name.length === 14) objection ??= objectionToLength(name, value);
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      coded = true;
      objection ??= objectionToCoding(value, version);
    }
  }
  // The parser forgives a coding that is not quite `chunked` where there is an upgrade, and takes the body for none.
  if (upgrades && coded) objection ??= malformed('An upgrade with a Transfer-Encoding.');
  // What is merely too large comes last: its connection goes on.
  if (version === '2') objection ??= objectionToLine(head);
  return objection ?? objectionToHost(head, hosts) ?? objectionToSize(head.target.length, fields, bytes);
}

/** What the parser of HTTP/1 sees to by itself, and what would be another request line to the cell. */
function objectionToLine({ method, target }: RequestHead): Objection | null {
  if (!KNOWN_METHODS.has(method)) return malformed('The method is not known.');
  return VISIBLE.test(target) ? null : malformed('The target is not well formed.');
}

function objectionToLength(name: string, value: string): Objection | null {
  if (name.toLowerCase() !== 'content-length' || Number(value) <= Number.MAX_SAFE_INTEGER) return null;
  return malformed('The Content-Length is no length.');
}

/**
 * RFC 9112, section 6.1: no coding but `chunked` is known here, and in HTTP/1.0 there is none at all: whoever stands
 * behind would take the chunks for the body.
 */
function objectionToCoding(value: string, version: string): Objection | null {
  if (version !== '1.1') return malformed('HTTP/1.0 has no Transfer-Encoding.');
  if (value.toLowerCase() === 'chunked') return null;
  return malformed('The Transfer-Encoding is not chunked.');
}

/** RFC 9112, section 3.2: whoever stands behind may believe the other one of two. HTTP/1.0 may do without. */
function objectionToHost({ host, version }: RequestHead, hosts: number): Objection | null {
  if (hosts > 1) return malformed('More than one Host.');
  if (hosts === 0 && version === '1.1') return malformed('No Host.');
  if (hosts === 0 && host === '' && version === '1.0') return null;
  return HOST.test(host) ? null : malformed('The Host is not well formed.');
}

function objectionToSize(uriBytes: number, fields: number, headerBytes: number): Objection | null {
  if (uriBytes > LIMITS.uriBytes) return tooMuch('uri-too-long', LIMITS.uriBytes, 'bytes');
  if (fields > LIMITS.headerFields) return tooMuch('headers-too-large', LIMITS.headerFields, 'fields');
  return headerBytes > LIMITS.headerBytes ? tooMuch('headers-too-large', LIMITS.headerBytes, 'bytes') : null;
}

function malformed(detail: string): Objection {
  return { code: 'bad-request', detail };
}

function tooMuch(code: RefusalCode, most: number, unit: string): Objection {
  return { code, detail: `At most ${most} ${unit}.` };
}
