/**
 * The ceiling of any Node server: raw node:http answers the stock of a zone from a Map, as the same
 * bytes that our API answers. Arguments: HTTP_PORT; paths and bodies come as JSON lines on stdin.
 */
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const answers = new Map<string, { headers: Record<string, string>; body: string }>();
for await (const line of createInterface({ input: process.stdin })) {
  const { path, headers, body } = JSON.parse(line);
  answers.set(path, { headers, body });
}
const server = createServer((request, response) => {
  const answer = answers.get(request.url ?? '');
  response.writeHead(answer === undefined ? 404 : 200, answer?.headers);
  response.end(answer?.body);
});
// Idle connections wait while others are measured.
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
