// Contender: `@fastify/http-proxy` as its manual has it, with a choice of upstream by tenant. LOG=1: with fastify's log.
import proxy from '@fastify/http-proxy';
import { fastify } from 'fastify';
import { originFor } from './origin-for.ts';

const { PORT, LOG } = process.env;

const app = fastify({ logger: LOG === '1' });
await app.register(proxy, {
  upstream: '',
  replyOptions: { getUpstream: (request) => originFor(request.headers['x-tenant-id']) },
});
await app.listen({ port: Number(PORT), host: '127.0.0.1' });
