/**
 * From a chunk's blob to its content. The blob was checked against its digest before: the decoder is given nothing that was not signed,
 * and is held to the content's length and to a window of that order all the same.
 */

import { sha256Of } from "./blob-window.ts";
import type { Chunk } from "./chunk-list.ts";
import { OtaError } from "./errors.ts";
import { MAX_ZSTD_WINDOW_LOG } from "./limits.ts";

/**
 * Gives the content of a chunk whose blob is right.
 *
 * @param what is fetched, for the message
 * @throws OtaError "delivery/hash-mismatch" if the blob does not hold what the chunk list says: it was published wrong
 */
export async function chunkContent(
  chunk: Omit<Chunk, "offset">,
  payload: Uint8Array,
  what: string,
): Promise<Uint8Array> {
  if (chunk.blob.sha256 === chunk.sha256) {
    return payload;
  }
  // Only where something is compressed.
  const { constants, zstdDecompressSync } = await import("node:zlib");
  const cause = { cause: undefined as unknown };
  try {
    const content = zstdDecompressSync(payload, {
      chunkSize: Math.max(chunk.length, constants.Z_MIN_CHUNK),
      maxOutputLength: chunk.length,
      params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG },
    });
    if (content.length === chunk.length && sha256Of(content) === chunk.sha256) {
      return content;
    }
  } catch (error) {
    cause.cause = error;
  }
  throw new OtaError(
    "delivery/hash-mismatch",
    `${what}: blob ${chunk.blob.sha256} is not the chunk that the list says it is; publish the release again under a new version`,
    cause,
  );
}
