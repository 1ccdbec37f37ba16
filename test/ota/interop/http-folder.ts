/** A folder over HTTP on the loopback, as a TUF repository is served. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import type { ExecutionContext } from "ava";

/** Serves a folder until the test ends; gives its URL, without a slash at the end. */
export async function serveFolder(t: ExecutionContext, folder: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(request.url ?? "/"));
    const bytes = await readFile(join(folder, path)).catch(() => undefined);
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
