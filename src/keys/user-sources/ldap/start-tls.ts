/**
 * StartTLS (RFC 4511) by hand: what follows the answer in clear must not be there when TLS begins, for whoever put
 * it there would be believed as the directory (as with STARTTLS of mail, CVE-2011-0411).
 */
import type { Socket } from 'node:net'
import { Ber, BerReader, BerWriter } from 'ldapts'
import { type Result, fail, ok } from '../../../base/result.ts'

const START_TLS = '1.3.6.1.4.1.1466.20037'
const MESSAGE_ID = 1
/** [APPLICATION 23] and [APPLICATION 24], both constructed. */
const EXTENDED_REQUEST = 0x77
const EXTENDED_RESPONSE = 0x78
const REQUEST_NAME = 0x80
const SUCCESS = 0
/** An answer is some dozens of bytes, and perhaps a sentence. */
const ANSWER_MAX_BYTES = 4_096

export function startTlsRequest(): Uint8Array {
  const writer = new BerWriter()
  writer.startSequence()
  writer.writeInt(MESSAGE_ID)
  writer.startSequence(EXTENDED_REQUEST)
  writer.writeString(START_TLS, REQUEST_NAME)
  writer.endSequence()
  writer.endSequence()
  return writer.buffer
}

/** `undefined`: there is more to come. The error says why TLS cannot begin. */
export function readStartTlsAnswer(bytes: Uint8Array): Result<true> | undefined {
  if (bytes.length > ANSWER_MAX_BYTES) return fail('the answer to StartTLS is too long')
  try {
    const reader = new BerReader(Buffer.from(bytes))
    const sequence = reader.readSequence(Ber.Sequence | Ber.Constructor)
    if (sequence === null || reader.remain < reader.length) return undefined
    if (reader.remain > reader.length) return fail('something follows the answer to StartTLS in clear')
    if (reader.readInt() !== MESSAGE_ID || reader.readSequence(EXTENDED_RESPONSE) === null)
      return fail('the answer to StartTLS is none')
    const code = reader.readEnumeration()
    return code === SUCCESS ? ok(true) : fail(`StartTLS was refused (result code ${code})`)
  } catch {
    return fail('the answer to StartTLS is none')
  }
}

/** Resolves when the next byte on the socket is TLS; rejects otherwise. */
export function askStartTls(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let received: Uint8Array = new Uint8Array()
    const settle = (why: string | undefined): void => {
      socket.off('data', onData).off('close', onClose)
      socket.pause()
      if (why === undefined) resolve()
      else reject(new Error(why))
    }
    const onClose = (): void => settle('the directory closed the connection')
    const onData = (chunk: Uint8Array): void => {
      received = Buffer.concat([received, chunk])
      const answer = readStartTlsAnswer(received)
      if (answer !== undefined) settle(answer.ok ? undefined : answer.error)
    }
    socket.on('data', onData).on('close', onClose)
    socket.write(startTlsRequest())
  })
}
