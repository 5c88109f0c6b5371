// Contender: `http-proxy-3` with connections to the cells that are kept, and a choice of target by tenant.
import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';
import { originFor } from './origin-for.ts';

const proxy = createProxyServer({ agent: new Agent({ keepAlive: true }) });
// A client that has left is no fault; any other one misses its answer, which the load notices.
proxy.on('error', (_error, _request, response) => void response.destroy());

createServer((request, response) => {
  proxy.web(request, response, { target: originFor(request.headers['x-tenant-id']) });
}).listen(Number(process.env['PORT']), '127.0.0.1');
