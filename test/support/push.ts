import { type ByteSink, Collector } from '../../src/base/byte-sink.ts'
import { concatBytes } from '../../src/base/bytes.ts'

/** Pushes content through a sink in chunks of one size; gives all that came out. */
export function push(
  content: Uint8Array,
  makeSink: (out: ByteSink) => ByteSink,
  chunkBytes = Math.max(1, content.length),
): Uint8Array {
  const out = new Collector()
  const sink = makeSink(out)
  for (let at = 0; at < content.length; at += chunkBytes) sink.write(content.subarray(at, at + chunkBytes))
  sink.end()
  if (!out.ended) throw new Error('the sink did not end the next one')
  return concatBytes(out.take())
}
