// The cells as plain node:http, where there is no nginx: a process of its own, listening at every address of HOSTS.
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { answerTo, ECHO_PATH, LARGE_PATH, SMALL_PATH } from '../speed-workloads.ts';
import { idOf } from './cells.ts';

const { PORT, HOSTS = '' } = process.env;

const http = createHttpServer((request, response) => {
  const { url = '', headers, socket } = request;
  if (url === ECHO_PATH) {
    request.pipe(response.writeHead(200, { 'content-length': headers['content-length'] ?? '0' }));
    return;
  }
  request.resume();
  const answer = (status: number, type: string, body: string): void =>
    void response
      .writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
      .end(body);
  if (url === '/health') {
    const cell = idOf(socket.localAddress ?? '');
    answer(200, 'application/json', JSON.stringify({ cell, version: '1.0.0', status: 'ok', checks: {} }));
  } else if (url === SMALL_PATH || url === LARGE_PATH) {
    answer(200, 'text/plain', answerTo({ path: url }, String(headers['x-tenant-id'])));
  } else answer(404, 'text/plain', '');
});
http.keepAliveTimeout = 3_600_000;

for (const host of HOSTS.split(',')) {
  createServer((socket) => http.emit('connection', socket)).listen(Number(PORT), host);
}
