/** CompressedData (RFC 3274): no protection, but a form that mail comes in; and a way to send much with few bytes. */
import { inflateSync } from 'node:zlib'
import { concatBytes } from '../../../base/bytes.ts'
import { type Result, fail, ok } from '../../../base/result.ts'
import { TOO_LARGE, decompressedMaxBytes } from '../../expansion.ts'
import { readAlgorithm } from '../algorithms.ts'
import { type BerReader, type OnSlice, type Reading, readWhole } from '../asn1/ber-stream.ts'
import { Asn1Error } from '../asn1/der-reader.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { CONTENT_TYPE, enterContentInfo, leaveContentInfo, oidOf, readElement } from './content-info.ts'

/** id-alg-zlibCompression, the only algorithm there is (RFC 3274 §2). */
const ZLIB = '1.2.840.113549.1.9.16.3.8'

/** The content of a whole CompressedData in its ContentInfo, in BER or DER. Never throws on foreign bytes. */
export function readCompressedData(bytes: Uint8Array): Result<Uint8Array> {
  const slices: Uint8Array[] = []
  const frame = readWhole(bytes, (reader) => readFrame(reader, (slice) => slices.push(slice)))
  return frame.ok ? inflate(concatBytes(slices)) : frame
}

function* readFrame(reader: BerReader, onContent: OnSlice): Reading<void> {
  if ((yield* enterContentInfo(reader)) !== CONTENT_TYPE.compressedData) throw new Asn1Error('not a CompressedData')
  yield* reader.enter(TAG.SEQUENCE, 'CompressedData')
  if ((yield* readElement(reader)).tag !== TAG.INTEGER) throw new Asn1Error('version is missing')
  const algorithm = readAlgorithm(yield* readElement(reader))
  if (!algorithm.ok) throw new Asn1Error(algorithm.error)
  if (algorithm.value.oid !== ZLIB) throw new Asn1Error(`unknown compression algorithm ${algorithm.value.oid}`)
  yield* reader.enter(TAG.SEQUENCE, 'encapContentInfo')
  oidOf(yield* readElement(reader))
  yield* reader.enter(contextConstructed(0), 'eContent')
  yield* reader.octets(onContent, 'eContent')
  for (let depth = 0; depth < 3; depth++) yield* reader.leave()
  yield* leaveContentInfo(reader)
}

function inflate(compressed: Uint8Array): Result<Uint8Array> {
  try {
    return ok(inflateSync(compressed, { maxOutputLength: decompressedMaxBytes(compressed.length) }))
  } catch (error) {
    return fail(error instanceof RangeError ? TOO_LARGE : 'the compressed content is damaged')
  }
}
