/** Decrypts a container with a session key, whichever container it is. */
import { Buffer } from 'node:buffer'
import { hash, randomBytes } from 'node:crypto'
import { type ByteSink, Collector } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed, attempt } from '../../malformed.ts'
import { type CipherRow, cipherByName } from '../algorithms/ciphers.ts'
import { ChunkDecryption } from './aead-chunks.ts'
import type { ContainerHead } from './container.ts'
import { SedDecryption } from './sed.ts'
import { Seipd1Decryption } from './seipd1.ts'
import type { SessionKey } from './session-key.ts'

/** All that is known before the first octet of the ciphertext. */
export interface DecryptionInput {
  readonly head: ContainerHead
  readonly cipher: CipherRow
  /** Has the cipher's length. */
  readonly key: Uint8Array
}

/**
 * Takes the ciphertext, pushes the packets within. `out` is ended only when all was proven to be unchanged, and what it has
 * been given until then must not be believed; throws Malformed otherwise. SED proves nothing: its end says nothing.
 */
export function decryptingSink({ head, cipher, key }: DecryptionInput, next: ByteSink): ByteSink {
  const out = new PatientSink(next)
  switch (head.kind) {
    case 'seipd1':
      return new Seipd1Decryption(cipher, key, out)
    case 'seipd2':
    case 'aead':
      return new ChunkDecryption(head, key, out)
    case 'sed':
      return new SedDecryption(cipher, key, out)
  }
}

/**
 * Says only at the end, when the content is proven, that the next sink does not like it: what is wrong with a plaintext that
 * somebody has changed would tell them what it is.
 */
class PatientSink implements ByteSink {
  readonly #next: ByteSink
  #refusal: Malformed | undefined

  constructor(next: ByteSink) {
    this.#next = next
  }

  write(chunk: Uint8Array): void {
    if (this.#refusal !== undefined) return
    try {
      this.#next.write(chunk)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.#refusal = error
    }
  }

  end(): void {
    if (this.#refusal !== undefined) throw this.#refusal
    this.#next.end()
  }
}

/** Decrypts what is in memory; `undefined` when it was changed, or the key is another. */
export function decryptWhole(input: DecryptionInput, ciphertext: Uint8Array): Uint8Array | undefined {
  const out = new Collector()
  const proven = attempt(() => {
    const sink = decryptingSink(input, out)
    sink.write(ciphertext)
    sink.end()
  })
  return proven.ok ? concatBytes(out.chunks) : undefined
}

/**
 * A session key that did not come out, or does not fit the container, is replaced: same path, same answer. The substitute is
 * the same each time for the same packet: one that changed would tell a sender who repeats a message that it is one.
 */
export function decryptionInput(
  head: ContainerHead,
  sessionKey: SessionKey | undefined,
  carriedIn: Uint8Array,
): DecryptionInput {
  const substitute = hash('sha256', Buffer.concat([SUBSTITUTE_SECRET, carriedIn]), 'buffer')
  const cipher = head.kind === 'seipd2' || head.kind === 'aead' ? head.cipher : sessionKey?.cipher
  if (cipher === undefined) return { head, cipher: cipherByName('aes-256'), key: substitute }
  const fits = sessionKey?.key.length === cipher.keyBytes
  return { head, cipher, key: fits ? sessionKey.key : substitute.subarray(0, cipher.keyBytes) }
}

const SUBSTITUTE_SECRET = randomBytes(32)

/** Such as `aes-256-ocb`. */
export const describeCipher = ({ head, cipher }: DecryptionInput): string =>
  `${cipher.name}-${head.kind === 'seipd2' || head.kind === 'aead' ? head.aead.name : 'cfb'}`
