/** Encrypted messages of OpenPGP and their containers: nothing but Malformed is thrown, however the bytes are cut; nothing that was changed is believed. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { type ByteSink, Collector } from '../src/base/byte-sink.ts'
import { concatBytes } from '../src/base/bytes.ts'
import { Malformed, attempt } from '../src/protection/malformed.ts'
import { AEADS } from '../src/protection/openpgp/algorithms/aeads.ts'
import { cipherByName } from '../src/protection/openpgp/algorithms/ciphers.ts'
import { ChunkDecryption, ChunkEncryption } from '../src/protection/openpgp/encryption/aead-chunks.ts'
import { ContainerSink, newSeipd2Head } from '../src/protection/openpgp/encryption/container.ts'
import { encryptingSink } from '../src/protection/openpgp/encryption/encrypt.ts'
import { openWhole } from '../src/protection/openpgp/encryption/open-container.ts'
import { Seipd1Decryption, Seipd1Encryption } from '../src/protection/openpgp/encryption/seipd1.ts'
import { newKeyPacket } from '../src/protection/openpgp/keys/key-packet.ts'
import { PACKET, readPackets, writePacket } from '../src/protection/openpgp/packets/packet.ts'

const KEY = Buffer.alloc(32, 0x5a)
const CIPHER = cipherByName('aes-256')
const PLAINTEXT = Buffer.from('one thing only is sealed with this key')

const PRIVATE = createPrivateKey({ key: Buffer.alloc(32, 8), format: 'raw-private', asymmetricKeyType: 'x25519' })
const PUBLIC = createPublicKey(PRIVATE)
const OWN_KEYS = [18, 25].map((algorithm) => {
  const packet = newKeyPacket({ version: 4, algorithm, createdMs: 0, publicKeys: [PUBLIC] })
  return { packet, handles: [PRIVATE], certificate: packet.fingerprint }
})

export function target(bytes: Uint8Array): void {
  if (bytes[0] === PACKET.PKESK) openMessage(bytes.subarray(1))
  else openContainer(bytes)
}

function openMessage(bytes: Uint8Array): void {
  const packets = attempt(() => readPackets(bytes))
  const container = packets.ok ? packets.value.at(-1) : undefined
  if (!packets.ok || container === undefined) return
  const opened = openWhole(packets.value.slice(0, -1), container, { keys: OWN_KEYS })
  if (opened.kind === 'decrypted') assert(PLAINTEXT.equals(opened.content), 'something else was believed')
}

function openContainer(bytes: Uint8Array): void {
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
  const containers = [seipd1, ...seipd2].map((body) => concatBytes([Uint8Array.of(PACKET.SEIPD), body]))
  const messages = [undefined, ...AEADS].flatMap((aead) =>
    OWN_KEYS.map(({ packet }) =>
      sealed((out) => encryptingSink({ cipher: CIPHER, recipients: [packet], ...(aead && { aead }) }, out)),
    ),
  )
  const withPassword = writePacket(PACKET.SKESK, Buffer.from('04090308204062bc285b439c60', 'hex'))
  messages.push(...messages.map((message) => concatBytes([withPassword, message])))
  return [...containers, ...messages.map((message) => concatBytes([Uint8Array.of(PACKET.PKESK), message]))]
}

function sealed(start: (out: ByteSink) => ByteSink): Uint8Array {
  const out = new Collector()
  const sink = start(out)
  sink.write(PLAINTEXT)
  sink.end()
  return concatBytes(out.chunks)
}
