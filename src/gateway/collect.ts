/** A whole message in memory, for what needs to see all of it. The listener has limited its size. */
import { concatBytes } from '../base/bytes.ts'

export async function collect(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return concatBytes(chunks)
}
