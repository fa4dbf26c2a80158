/**
 * Session keys under Elgamal (RFC 9580 §5.1.4), for keys that GnuPG made until 2009. A power in the group is what Diffie-Hellman
 * computes, so OpenSSL does that. The quotient and the padding are done here, and take a time that tells something of them:
 * whoever has such a key is better off with a new one.
 */
import { Buffer } from 'node:buffer'
import { type KeyObject, createPrivateKey, createPublicKey, diffieHellman, randomBytes } from 'node:crypto'
import { concatBytes, hex } from '../../../base/bytes.ts'
import { parseDer } from '../../smime/asn1/der-reader.ts'
import { bitString, integer, octetString, sequence, unsigned } from '../../smime/asn1/der-writer.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { OID_DH } from '../keys/public-material.ts'
import { Cursor, writeMpi } from '../packets/cursor.ts'
import { type Carrier, only } from './carrier.ts'
import { MODULUS_MIN_BITS } from './rsa.ts'
import { readSessionKeyOctets, writeSessionKeyOctets } from './session-key.ts'

/** Version, time and algorithm of a key packet of version 4; Elgamal has no other. */
const KEY_HEAD_BYTES = 6
const PADDING_MIN_BYTES = 8

export const elgamalCarrier: Carrier = {
  open(fields, { packet, handles }, version) {
    const { prime } = groupOf(packet)
    const cursor = new Cursor(fields)
    const [power, product] = [cursor.mpi(), cursor.mpi()]
    const spki = Buffer.from(sequence(algorithmOf(groupOf(packet)), bitString(unsigned(power))))
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const shared = toNumber(diffieHellman({ privateKey: only(handles), publicKey }))
    const modulus = toNumber(prime)
    const block = toOctets((toNumber(product) * inverse(shared, modulus)) % modulus, prime.length)
    const octets = withoutPadding(block)
    return octets === undefined ? undefined : readSessionKeyOctets(octets, version)
  },
  write(packet, sessionKey) {
    const { prime } = groupOf(packet)
    const oneTime = generateLike(packet)
    const publicKey = only(packet.publicKeys)
    const shared = toNumber(diffieHellman({ privateKey: oneTime, publicKey }))
    const block = toNumber(withPadding(writeSessionKeyOctets(sessionKey), prime.length))
    const product = toOctets((block * shared) % toNumber(prime), prime.length)
    return concatBytes([writeMpi(powerOf(createPublicKey(oneTime))), writeMpi(product)])
  },
  canWriteTo: (packet) => groupOf(packet).prime.length * 8 >= MODULUS_MIN_BITS,
}

interface Group {
  readonly prime: Uint8Array
  readonly generator: Uint8Array
}

function groupOf({ body }: KeyPacket): Group {
  const cursor = new Cursor(body.subarray(KEY_HEAD_BYTES))
  return { prime: cursor.mpi(), generator: cursor.mpi() }
}

const algorithmOf = ({ prime, generator }: Group): Uint8Array =>
  sequence(OID_DH, sequence(unsigned(prime), unsigned(generator)))

/** A private key in the same group. */
function generateLike(packet: KeyPacket): KeyObject {
  const group = groupOf(packet)
  const exponent = randomBytes(group.prime.length - 1)
  const pkcs8 = sequence(integer(0), algorithmOf(group), octetString(unsigned(exponent)))
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
}

/** The number in a SubjectPublicKeyInfo. */
function powerOf(key: KeyObject): Uint8Array {
  const spki = parseDer(key.export({ format: 'der', type: 'spki' }))
  const number = spki.ok ? parseDer(spki.value.children[1]?.content.subarray(1) ?? NOTHING) : spki
  if (!number.ok) throw new TypeError(number.error)
  return number.value.content
}

const NOTHING = new Uint8Array()

const toNumber = (octets: Uint8Array): bigint => BigInt(`0x0${hex(octets)}`)
const toOctets = (number: bigint, lengthBytes: number): Buffer =>
  Buffer.from(number.toString(16).padStart(2 * lengthBytes, '0'), 'hex')

/** Extended Euclidean algorithm; the modulus is a prime. */
function inverse(number: bigint, modulus: bigint): bigint {
  let [rest, nextRest, factor, nextFactor] = [modulus, number % modulus, 0n, 1n]
  while (nextRest !== 0n) {
    const quotient = rest / nextRest
    ;[rest, nextRest] = [nextRest, rest - quotient * nextRest]
    ;[factor, nextFactor] = [nextFactor, factor - quotient * nextFactor]
  }
  return factor < 0n ? factor + modulus : factor
}

/** EME-PKCS1-v1_5 (RFC 8017 §7.2.1). */
function withPadding(octets: Uint8Array, lengthBytes: number): Uint8Array {
  const padding = randomBytes(lengthBytes - octets.length - 3).map((octet) => octet || 1)
  return concatBytes([Uint8Array.of(0, 2), padding, Uint8Array.of(0), octets])
}

function withoutPadding(block: Uint8Array): Uint8Array | undefined {
  const end = block.indexOf(0, 2)
  return block[0] === 0 && block[1] === 2 && end >= 2 + PADDING_MIN_BYTES ? block.subarray(end + 1) : undefined
}
