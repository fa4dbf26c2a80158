import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { type KeyObject, createCipheriv, generateKeyPairSync, getDiffieHellman, randomBytes } from 'node:crypto'
import test from 'node:test'
import { Collector } from '../../../base/byte-sink.ts'
import { concatBytes, hex } from '../../../base/bytes.ts'
import { AEADS } from '../algorithms/aeads.ts'
import { cipherByName } from '../algorithms/ciphers.ts'
import { newKeyPacket, readPublicKeyPacket } from '../keys/key-packet.ts'
import { writeMpi } from '../packets/cursor.ts'
import { PACKET, type Packet, readPackets, writePacket } from '../packets/packet.ts'
import type { DecryptionKey } from './carrier.ts'
import { CHANGED } from './changed.ts'
import { type ContainerChoice, type EncryptionPlan, encryptingSink } from './encrypt.ts'
import type { OpenedEnvelope } from '../../opened-envelope.ts'
import { openWhole } from './open-container.ts'
import { writeSessionKeyPackets } from './carriers.ts'

type Generate = (type: string, options?: object) => { readonly publicKey: KeyObject; readonly privateKey: KeyObject }

/** A key of ours of this algorithm. */
function ownKey(
  version: 4 | 6,
  algorithm: number,
  ...kinds: readonly [type: string, options?: object][]
): DecryptionKey {
  const pairs = kinds.map(([type, options]) => (generateKeyPairSync as Generate)(type, options))
  const packet = newKeyPacket({ version, algorithm, createdMs: 0, publicKeys: pairs.map(({ publicKey }) => publicKey) })
  return { packet, handles: pairs.map(({ privateKey }) => privateKey), certificate: packet.fingerprint }
}

/** Nobody makes such keys any more, so it is put together by hand. */
function elgamalKey(): DecryptionKey {
  const prime = getDiffieHellman('modp14').getPrime()
  const { publicKey, privateKey } = generateKeyPairSync('dh', { prime, generator: 2 })
  const value = publicKey.export({ format: 'der', type: 'spki' }).subarray(-prime.length)
  const packet = readPublicKeyPacket(
    concatBytes([Uint8Array.of(4, 0, 0, 0, 0, 16), ...[prime, Uint8Array.of(2), value].map(writeMpi)]),
  )
  return { packet, handles: [privateKey], certificate: packet.fingerprint }
}

const curve = (namedCurve: string): DecryptionKey => ownKey(4, 18, ['ec', { namedCurve }])

const KEYS: readonly DecryptionKey[] = [
  ownKey(4, 1, ['rsa', { modulusLength: 2048 }]),
  elgamalKey(),
  curve('prime256v1'),
  curve('secp384r1'),
  curve('secp521r1'),
  curve('brainpoolP256r1'),
  curve('brainpoolP512r1'),
  ownKey(4, 18, ['x25519']),
  ownKey(6, 18, ['ec', { namedCurve: 'prime256v1' }]),
  ownKey(4, 25, ['x25519']),
  ownKey(6, 25, ['x25519']),
  ownKey(6, 26, ['x448']),
  ownKey(4, 35, ['x25519'], ['ml-kem-768']),
  ownKey(6, 35, ['x25519'], ['ml-kem-768']),
  ownKey(6, 36, ['x448'], ['ml-kem-1024']),
]

const CHOICES: readonly ContainerChoice[] = [
  { cipher: cipherByName('aes-256') },
  { cipher: cipherByName('aes-192') },
  { cipher: cipherByName('aes-128') },
  ...AEADS.map((aead) => ({ cipher: cipherByName('aes-256'), aead })),
  ...AEADS.map((aead) => ({ cipher: cipherByName('aes-128'), aead })),
]
const CFB: ContainerChoice = { cipher: cipherByName('aes-256') }
const OCB: ContainerChoice = { cipher: cipherByName('aes-256'), ...(AEADS[0] === undefined ? {} : { aead: AEADS[0] }) }

const nameOf = ({ cipher, aead }: ContainerChoice): string => `${cipher.name}-${aead?.name ?? 'cfb'}`

const CONTENT = Buffer.from('packets within')

function encrypted(plan: EncryptionPlan, content: Uint8Array = CONTENT): Uint8Array {
  const out = new Collector()
  const sink = encryptingSink(plan, out)
  sink.write(content)
  sink.end()
  return concatBytes(out.chunks)
}

function open(bytes: Uint8Array, keys: readonly DecryptionKey[], allowUnproven = false): OpenedEnvelope {
  return openPackets(readPackets(bytes), keys, allowUnproven)
}

function openPackets(
  packets: readonly Packet[],
  keys: readonly DecryptionKey[],
  allowUnproven = false,
): OpenedEnvelope {
  return openWhole(packets.slice(0, -1), packets.at(-1) ?? assert.fail(), { keys, allowUnproven })
}

function contentOf(opened: OpenedEnvelope): string {
  assert(opened.kind === 'decrypted', opened.kind === 'broken' ? opened.why : opened.kind)
  return Buffer.from(opened.content).toString()
}

for (const key of KEYS)
  test(`what is encrypted to ${key.packet.algorithmName} of version ${key.packet.version} opens, in every container`, () => {
    for (const choice of CHOICES) {
      const opened = open(encrypted({ ...choice, recipients: [key.packet] }), [key])
      assert.equal(contentOf(opened), CONTENT.toString())
      assert(opened.kind === 'decrypted')
      assert.equal(opened.algorithm, nameOf(choice))
      assert.deepEqual([opened.authenticated, opened.weak, opened.openedBy], [true, undefined, key.packet.fingerprint])
    }
  })

test('each of several recipients opens with their own key', () => {
  const recipients = KEYS.map(({ packet }) => packet)
  for (const choice of [CFB, OCB]) {
    const message = encrypted({ ...choice, recipients })
    for (const key of KEYS) assert.equal(contentOf(open(message, [key])), CONTENT.toString())
  }
})

test('a large content opens, and streams in parts', () => {
  const content = randomBytes(3_000_000)
  const [key = assert.fail()] = KEYS
  for (const choice of [CFB, OCB]) {
    const opened = open(encrypted({ ...choice, recipients: [key.packet] }, content), [key])
    assert(opened.kind === 'decrypted')
    assert(content.equals(opened.content))
  }
})

test('a message for others names them', () => {
  const [rsa = assert.fail(), ecdh = assert.fail()] = KEYS
  const opened = open(encrypted({ ...CFB, recipients: [rsa.packet] }), [ecdh])
  assert.deepEqual(opened, { kind: 'no-key', recipients: [`key ${hex(rsa.packet.keyId)}`] })
})

for (const choice of [CFB, OCB])
  test(`a message that names nobody opens with whichever key it is for (${nameOf(choice)})`, () => {
    for (const key of KEYS) {
      const message = encrypted({ ...choice, recipients: [key.packet], anonymous: true })
      assert(!Buffer.from(message).includes(Buffer.from(key.packet.keyId)), 'the key is named')
      assert.equal(contentOf(open(message, KEYS)), CONTENT.toString())
      const others = KEYS.filter((other) => other !== key)
      assert.deepEqual(open(message, others), { kind: 'no-key', recipients: ['somebody who is not named'] })
    }
  })

for (const key of KEYS)
  test(`whatever is changed in a message to ${key.packet.algorithmName}, the answer is the same`, () => {
    for (const choice of [CFB, OCB]) {
      const [pkesk = assert.fail(), container = assert.fail()] = readPackets(
        encrypted({ ...choice, recipients: [key.packet] }),
      )
      const fieldsAt = choice.aead === undefined ? 10 : (pkesk.body[1] ?? 0) + 3
      const step = Math.ceil((pkesk.body.length - fieldsAt) / 40)
      for (let at = fieldsAt; at < pkesk.body.length; at += step)
        assert.deepEqual(
          openPackets([changedAt(pkesk, at), container], [key]),
          { kind: 'broken', why: CHANGED },
          `${at}`,
        )
      const cut = { ...pkesk, body: pkesk.body.subarray(0, -3) }
      assert.deepEqual(openPackets([cut, container], [key]), { kind: 'broken', why: CHANGED })
      const last = container.body.length - 1
      assert.deepEqual(openPackets([pkesk, changedAt(container, last)], [key]), { kind: 'broken', why: CHANGED })
    }
  })

function changedAt({ type, body }: Packet, at: number): Packet {
  const changed = Buffer.from(body)
  changed[at] = (changed[at] ?? 0) ^ 0x01
  return { type, body: changed }
}

test('a session key of one kind does not go with the container of the other', () => {
  const [key = assert.fail()] = KEYS
  const [v3 = assert.fail(), seipd1 = assert.fail()] = readPackets(encrypted({ ...CFB, recipients: [key.packet] }))
  const [v6 = assert.fail(), seipd2 = assert.fail()] = readPackets(encrypted({ ...OCB, recipients: [key.packet] }))
  for (const packets of [
    [v3, seipd2],
    [v6, seipd1],
  ])
    assert.match(JSON.stringify(openPackets(packets, [key])), /not of the kind that goes with/)
})

test('what has nothing that shows a change is refused, and read only from an archive', () => {
  const [key = assert.fail()] = KEYS
  const cipher = cipherByName('aes-256')
  const session = Buffer.alloc(32, 3)
  const sessionKeys = writeSessionKeyPackets([key.packet], { key: session, cipher })
  const message = concatBytes([sessionKeys, writePacket(PACKET.SED, sedOf(session))])
  assert.match(JSON.stringify(open(message, [key])), /nothing that would show a change/)
  const opened = open(message, [key], true)
  assert.equal(contentOf(opened), CONTENT.toString())
  assert(opened.kind === 'decrypted' && !opened.authenticated)
})

/** The content with this key of AES-256 in CFB that starts again behind its prefix. */
function sedOf(key: Uint8Array): Uint8Array {
  const random = randomBytes(16)
  const prefix = createCipheriv('aes-256-cfb', key, Buffer.alloc(16)).update(concatBytes([random, random.subarray(-2)]))
  return concatBytes([prefix, createCipheriv('aes-256-cfb', key, prefix.subarray(2)).update(CONTENT)])
}
