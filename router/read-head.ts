// From Node's request to plain data: the head that every decision reads.
import type { IncomingMessage } from 'node:http';
import type { BlockList, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { fieldOf, type Peer, type RequestHead } from './request-head.ts';

/** `rawTarget`: the target as it came. */
export function readHead(request: IncomingMessage, rawTarget: string, peer: Peer): RequestHead {
  // Node's own `headers` are left alone: they would be made for this.
  const { rawHeaders } = request;
  const method = request.method ?? 'GET';
  const { target, host } = targetAndHost(method, rawTarget, fieldOf(rawHeaders, 'host') ?? '');
  const queryAt = target.indexOf('?');
  return {
    method,
    version: request.httpVersion,
    target,
    path: queryAt === -1 ? target : target.slice(0, queryAt),
    host,
    rawHeaders,
    peer: peer.peer,
    secure: peer.secure,
    fromTrustedProxy: peer.fromTrustedProxy,
  };
}

/** `trusted`: the peers whose word on the client is believed. */
export function peerOf(socket: Socket, trusted: BlockList): Peer {
  const peer = plainAddress(socket.remoteAddress ?? '');
  const fromTrustedProxy = trusted.check(peer, peer.includes(':') ? 'ipv6' : 'ipv4');
  return { peer, fromTrustedProxy, secure: socket instanceof TLSSocket };
}

/** Absolute form: its authority replaces `Host`, and the cell gets the origin form (RFC 9112, section 3.2.2). */
function targetAndHost(method: string, target: string, host: string): { target: string; host: string } {
  if (target.startsWith('/')) return { target, host };
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target);
  if (absolute === null) return { target, host };
  const rest = absolute[2] ?? '';
  // Section 3.2.4: without a path it is about the whole service.
  if (rest === '' && method === 'OPTIONS') return { target: '*', host: absolute[1] ?? host };
  return { target: rest.startsWith('/') ? rest : `/${rest}`, host: absolute[1] ?? host };
}

/** An IPv4 peer on a dual-stack listener comes as `::ffff:10.0.0.1`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
