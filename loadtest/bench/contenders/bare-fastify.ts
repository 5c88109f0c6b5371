// The floor: fastify that answers by itself what the cells would, with nothing behind it.
import { fastify } from 'fastify';
import { answerTo, ECHO_PATH, LARGE_PATH, SMALL_PATH } from '../speed-workloads.ts';

const app = fastify();
app.addContentTypeParser('text/plain', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.get(SMALL_PATH, (request) => answerTo({ path: SMALL_PATH }, String(request.headers['x-tenant-id'])));
app.post(SMALL_PATH, (request) => answerTo({ path: SMALL_PATH }, String(request.headers['x-tenant-id'])));
app.get(LARGE_PATH, () => answerTo({ path: LARGE_PATH }, ''));
app.post(ECHO_PATH, (request) => request.body);
await app.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' });
