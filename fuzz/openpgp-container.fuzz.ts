/** Encrypted containers of OpenPGP: nothing but Malformed is thrown, however the bytes are cut; nothing that was changed is believed. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { type ByteSink, Collector } from '../src/base/byte-sink.ts'
import { concatBytes } from '../src/base/bytes.ts'
import { Malformed } from '../src/protection/malformed.ts'
import { AEADS } from '../src/protection/openpgp/algorithms/aeads.ts'
import { cipherByName } from '../src/protection/openpgp/algorithms/ciphers.ts'
import { ChunkDecryption, ChunkEncryption } from '../src/protection/openpgp/encryption/aead-chunks.ts'
import { ContainerSink, newSeipd2Head } from '../src/protection/openpgp/encryption/container.ts'
import { Seipd1Decryption, Seipd1Encryption } from '../src/protection/openpgp/encryption/seipd1.ts'
import { PACKET } from '../src/protection/openpgp/packets/packet.ts'

const KEY = Buffer.alloc(32, 0x5a)
const CIPHER = cipherByName('aes-256')
const PLAINTEXT = Buffer.from('one thing only is sealed with this key')

export function target(bytes: Uint8Array): void {
  const type = bytes[0] === PACKET.AEAD ? PACKET.AEAD : PACKET.SEIPD
  const body = bytes.subarray(1)
  const whole = open(type, [body])
  const cut = open(type, [body.subarray(0, 1), body.subarray(1, 40), body.subarray(40)])
  assert.deepEqual(whole, cut)
  if (whole !== undefined) assert(whole.equals(PLAINTEXT), 'something else was believed')
}

function open(type: typeof PACKET.SEIPD | typeof PACKET.AEAD, chunks: readonly Uint8Array[]): Buffer | undefined {
  const out = new Collector()
  try {
    const sink = new ContainerSink(type, (head) =>
      head.kind === 'seipd2' || head.kind === 'aead'
        ? new ChunkDecryption(head, KEY.subarray(0, head.cipher.keyBytes), out)
        : new Seipd1Decryption(CIPHER, KEY, out),
    )
    for (const chunk of chunks) sink.write(chunk)
    sink.end()
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    assert(!out.ended)
    return undefined
  }
  return Buffer.concat(out.chunks)
}

export function seeds(): Uint8Array[] {
  const seipd1 = sealed((out) => new Seipd1Encryption(CIPHER, KEY, out))
  const seipd2 = AEADS.map((aead) => {
    const head = newSeipd2Head(CIPHER, aead, Buffer.alloc(32, 1))
    const body = sealed((out) => new ChunkEncryption(head, KEY, out))
    return concatBytes([head.info.subarray(1), head.salt, body])
  })
  return [seipd1, ...seipd2].map((body) => concatBytes([Uint8Array.of(PACKET.SEIPD), body]))
}

function sealed(start: (out: ByteSink) => ByteSink): Uint8Array {
  const out = new Collector()
  const sink = start(out)
  sink.write(PLAINTEXT)
  sink.end()
  return concatBytes(out.chunks)
}
