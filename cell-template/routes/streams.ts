// The long-lived answers: GET /events ticks as server-sent events, GET /ws echoes over WebSocket.
import { PassThrough } from 'node:stream';
import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import type { WebSocket } from 'ws';
import { Refusal } from '../errors.ts';
import { problem, refusals, tenantHeader } from '../openapi.ts';

const TICK_MS = 1_000;
const MAX_MESSAGE_BYTES = 1_048_576;
/** An echo that its reader does not take is not piled up: reading stops here. */
const MAX_UNSENT_BYTES = 4_194_304;
/** "Going away" (RFC 6455, section 7.4.1): the client may come back at once. */
const GOING_AWAY = 1001;
/** How long a client may take to answer a close before its socket is cut. */
const CLOSE_LIMIT_MS = 1_000;

export async function streamRoutes(app: FastifyInstance): Promise<void> {
  await app.register(websocket, {
    options: { maxPayload: MAX_MESSAGE_BYTES },
    preClose(done) {
      for (const socket of app.websocketServer.clients) closeSoon(socket);
      done();
    },
    // A client that breaks the protocol or vanishes is its own affair: no log line.
    errorHandler: (_error, socket) => socket.terminate(),
  });
  app.route({
    method: 'GET',
    url: '/ws',
    config: { contract: { streams: true } },
    exposeHeadRoute: false,
    schema: {
      headers: tenantHeader,
      response: {
        101: { description: 'Echoes text and binary messages', type: 'null' },
        426: problem,
        ...refusals,
      },
    },
    handler: () => {
      throw new Refusal('upgrade-required', 'GET /ws needs a WebSocket handshake');
    },
    wsHandler: echo,
  });
  eventsRoute(app);
}

function eventsRoute(app: FastifyInstance): void {
  const open = new Set<PassThrough>();
  app.addHook('preClose', (done) => {
    for (const stream of open) stream.end();
    done();
  });
  const schema = {
    headers: tenantHeader,
    response: {
      200: {
        description: 'Server-sent events, a tick each second',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      ...refusals,
    },
  };
  app.get(
    '/events',
    { exposeHeadRoute: false, schema, config: { contract: { streams: true } } },
    (_request, reply) => {
      const stream = ticks();
      open.add(stream);
      stream.once('close', () => open.delete(stream));
      return reply.type('text/event-stream').header('cache-control', 'no-store').send(stream);
    },
  );
}

/** One event now and one each second until the stream ends or its reader leaves. */
function ticks(): PassThrough {
  const stream = new PassThrough();
  let id = 0;
  const tick = (): void => {
    // A reader that does not keep up misses ticks; they are not kept for it.
    if (stream.writableEnded || stream.writableNeedDrain) return;
    id += 1;
    stream.write(`id: ${id}\nevent: tick\ndata: ${JSON.stringify({ tick: id, at: new Date() })}\n\n`);
  };
  tick();
  const timer = setInterval(tick, TICK_MS);
  stream.once('close', () => clearInterval(timer));
  return stream;
}

function echo(socket: WebSocket): void {
  socket.on('message', (data, binary) => {
    socket.send(data, { binary }, () => {
      if (socket.isPaused && socket.bufferedAmount < MAX_UNSENT_BYTES) socket.resume();
    });
    if (socket.bufferedAmount >= MAX_UNSENT_BYTES) socket.pause();
  });
}

function closeSoon(socket: WebSocket): void {
  socket.close(GOING_AWAY, 'the cell is going away');
  const timer = setTimeout(() => socket.terminate(), CLOSE_LIMIT_MS);
  socket.once('close', () => clearTimeout(timer));
}
