import { concatBytes } from './bytes.ts'

/**
 * The same bytes in pieces of `minBytes` at least, the last one excepted. A client may put each line into a TLS record of
 * its own (msmtp does), and handing each to another thread costs ten times as much as all that is done with it there.
 */
export async function* inPieces(chunks: AsyncIterable<Uint8Array>, minBytes: number): AsyncIterable<Uint8Array> {
  let gathered: Uint8Array[] = []
  let lengthBytes = 0
  for await (const chunk of chunks) {
    gathered.push(chunk)
    lengthBytes += chunk.length
    if (lengthBytes < minBytes) continue
    yield concatBytes(gathered)
    gathered = []
    lengthBytes = 0
  }
  if (lengthBytes > 0) yield concatBytes(gathered)
}
