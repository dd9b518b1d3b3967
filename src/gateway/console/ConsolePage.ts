import type { IncomingMessage, ServerResponse } from 'node:http';
import { securityHeaders, staticFile } from '../../system/staticFiles.js';

const PATH = '/console';

/**
 * The console's files, at `/console/`. They are the same for everybody and hold nothing: what the page shows it asks of the API, with
 * the key that its user gives.
 */
export class ConsolePage {
  /** `directory`: where the built page is. */
  constructor(private readonly directory: string) {}

  /** Answers a request for the page; false: it is for something else. Never throws. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const [path = ''] = (request.url ?? '').split('?');
    if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
    request.resume();
    for (const [name, value] of Object.entries(securityHeaders())) response.setHeader(name, value);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === PATH) {
      // Its files are named relative to it, so that a proxy may put it anywhere.
      response.writeHead(308, { location: 'console/' }).end();
    } else this.file(path.slice(PATH.length), response);
    return true;
  }

  private file(path: string, response: ServerResponse): void {
    const file = staticFile(this.directory, path);
    if (file === undefined) {
      response
        .writeHead(404, { 'content-type': 'text/plain; charset=utf-8' })
        .end('There is nothing here.\n');
      return;
    }
    response.writeHead(200, { 'content-type': file.contentType, 'cache-control': 'no-cache' }).end(file.body);
  }
}
