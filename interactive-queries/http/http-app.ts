/**
 * Koa around what answers, and the server under it. Knows nothing of what the routes do. The only file
 * that names koa.
 */
import Koa from 'koa';
import { Answerer, type AnswererOptions } from './answerer.ts';
import { HttpServer, type ServerLimits } from './http-server.ts';
import type { Problem } from './problem.ts';
import { ResponseStreams, type StreamLimits } from './response-streams.ts';

export interface HttpAppOptions extends AnswererOptions {
  readonly limits?: Partial<ServerLimits & StreamLimits>;
}

export interface HttpApp {
  /** Resolves with the port. Rejects PORT_TAKEN naming the setting. */
  listen(host: string, port: number, setting: string): Promise<number>;
  /** Ends streams, stops accepting, lets running requests finish within the grace, then cuts. */
  close(graceMs: number): Promise<void>;
  /** Answers that are going on. */
  readonly streamCount: number;
}

export function createHttpApp(options: HttpAppOptions): HttpApp {
  const koa = new Koa();
  koa.on('error', (error: unknown) => options.log.error({ err: error }, 'request failed'));
  const streams = new ResponseStreams(options.log, options.limits);
  const answerer = new Answerer(options, streams);
  koa.use((context) => {
    // Its own response has setters that cost more than everything else of a small read.
    context.respond = false;
    return answerer.answer(answerer.open(context.req, context.res));
  });
  const onRefused = ({ slug, status }: Problem) => {
    options.onProblem(slug);
    options.onAnswered('none', '_OTHER', status, 0);
  };
  const throughKoa = koa.callback();
  const server = new HttpServer(
    (request, response) => {
      const exchange = answerer.open(request, response);
      if (exchange.found?.entry.route.isHot === true) void answerer.answer(exchange);
      else throughKoa(request, response);
    },
    onRefused,
    options.limits,
  );
  return {
    listen: (host, port, setting) => server.listen(host, port, setting),
    close: (graceMs) => {
      streams.close();
      return server.close(graceMs);
    },
    get streamCount() {
      return streams.count;
    },
  };
}
