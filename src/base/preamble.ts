/** What stands at the beginning of a connection, before the protocol that is spoken on it. */
import type { Socket } from 'node:net'
import { fail, ok, type Result } from './result.ts'

/** What a reader of preambles makes of the bytes so far. */
export type Preamble<T> =
  | { readonly kind: 'found'; readonly lengthBytes: number; readonly value: T }
  /** Not all of it has come. */
  | { readonly kind: 'more' }
  | { readonly kind: 'none'; readonly why: string }

/** Too few bytes are no answer for ever: a client that says nothing must not hold a connection. */
export const PREAMBLE_TIMEOUT_MS = 10_000

export interface NoPreamble {
  readonly why: string
  /** Not one byte has come: somebody has looked whether we listen. */
  readonly silent: boolean
}

/**
 * Takes the preamble off the socket, to which nobody may listen yet, and leaves all that follows in it. `read` must tell
 * `more` from `none` within a bounded length. After an error the socket is destroyed.
 */
export async function takePreamble<T>(
  socket: Socket,
  read: (bytes: Uint8Array) => Preamble<T>,
  timeoutMs = PREAMBLE_TIMEOUT_MS,
): Promise<Result<T, NoPreamble>> {
  const { promise, resolve } = Promise.withResolvers<Result<T, NoPreamble>>()
  let bytes: Buffer = Buffer.alloc(0)
  const settle = (result: Result<T, NoPreamble>): void => {
    // once only, and now: the stream takes note of it a tick later, when somebody else may have paused it
    socket.off('readable', onReadable)
    resolve(result)
  }
  const fault = (why: string): void => settle(fail({ why, silent: bytes.length === 0 }))
  const onReadable = (): void => {
    for (let chunk = take(socket); chunk !== null; chunk = take(socket)) {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const preamble = read(bytes)
      if (preamble.kind === 'more') continue
      if (preamble.kind === 'none') return fault(preamble.why)
      if (preamble.lengthBytes < bytes.length) socket.unshift(bytes.subarray(preamble.lengthBytes))
      return settle(ok(preamble.value))
    }
  }
  const onGone = (): void => fault('the connection was closed too early')
  const timer = setTimeout(() => fault('it did not come in time'), timeoutMs)
  socket.on('readable', onReadable).on('end', onGone).on('close', onGone)
  socket.on('error', ignore)
  const result = await promise
  clearTimeout(timer)
  socket.off('end', onGone).off('close', onGone)
  // who takes the socket over listens for its errors; of one that is closed, they are nobody's
  if (result.ok) socket.off('error', ignore)
  else socket.destroy()
  return result
}

const take = (socket: Socket): Buffer | null => socket.read() as Buffer | null
const ignore = (): void => undefined
