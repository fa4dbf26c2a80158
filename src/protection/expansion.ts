/** How much a compressed content may become: whoever sends much with few bytes wants to fill somebody's memory. */

/** No content in memory becomes larger than this. */
export const DECOMPRESSED_MAX_BYTES = 64 * 2 ** 20
/** Beyond the first mebibyte, a content may be so many times as large as what came; text seldom reaches ten. */
export const EXPANSION_MAX = 100
const FREE_BYTES = 2 ** 20

export const TOO_LARGE = 'the content is too large when it is decompressed'

/** What so many bytes may become; `limitBytes` is Infinity for what is not kept in memory. */
export function decompressedMaxBytes(compressedBytes: number, limitBytes = DECOMPRESSED_MAX_BYTES): number {
  return Math.min(limitBytes, FREE_BYTES + compressedBytes * EXPANSION_MAX)
}
