/** Writes `multipart/signed` (RFC 1847 §2.1), whichever standard the signature is of. */
import { randomBytes } from 'node:crypto'
import type { ByteSink } from '../base/byte-sink.ts'
import { concatBytes, fromLatin1 } from '../base/bytes.ts'
import { writeFields } from '../message/header-field.ts'
import type { HeaderField } from '../message/part.ts'

export const signedBoundary = (): string => `=_sealpost-${randomBytes(16).toString('hex')}`

export interface DetachedSignature {
  readonly boundary: string
  /** Takes what is signed. */
  readonly signer: ByteSink
  /** Header fields of the second part. */
  readonly fields: readonly HeaderField[]
  /** The body of the second part, as it is sent; asked for after `signer` has ended. */
  readonly body: () => Uint8Array
}

/** The content passes through to the signer and to the output alike. */
export function multipartSignedSink(signature: DetachedSignature, out: ByteSink): ByteSink {
  const { boundary, signer } = signature
  let begun = false
  return {
    write(chunk) {
      if (!begun) out.write(fromLatin1(`--${boundary}\r\n`))
      begun = true
      signer.write(chunk)
      out.write(chunk)
    },
    end() {
      signer.end()
      out.write(
        concatBytes([
          fromLatin1(`\r\n--${boundary}\r\n`),
          writeFields(signature.fields),
          fromLatin1('\r\n'),
          signature.body(),
          fromLatin1(`\r\n--${boundary}--\r\n`),
        ]),
      )
      out.end()
    },
  }
}
