/** Public keys of OpenPGP: packets of version 4 and 6 (RFC 9580 §5.5.2), their fingerprints and key ids (§5.5.4). */
import { type KeyObject, hash } from 'node:crypto'
import { concatBytes, hex } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { type PublicKeyRow, publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import { Cursor } from '../packets/cursor.ts'
import { type EcdhParameters, readPublicMaterial, writePublicMaterial } from './public-material.ts'

export interface KeyPacket {
  /** 4 or 6. */
  readonly version: number
  readonly algorithm: number
  /** `rsa-2048`, `ec-p256`, `ed25519`, `x25519`, `ml-kem-768+x25519`; `unknown-99` for what is not ours. */
  readonly algorithmName: string
  readonly createdMs: number
  /** Lower-case hex. */
  readonly fingerprint: string
  /** Eight octets. */
  readonly keyId: Uint8Array
  /** Of the public-key packet, whether or not it came with the secret part. */
  readonly body: Uint8Array
  /** One, or two of a composite; none where the algorithm is not one of ours, so that it can be kept but not used. */
  readonly publicKeys: readonly KeyObject[]
  /** Only of ECDH: what its key derivation takes. */
  readonly ecdh?: EcdhParameters
}

const BODY_MAX_BYTES = 0xffff // what the fingerprint of version 4 can count; of version 6 nobody needs more

/** Reads the body of a public-key or public-subkey packet. Throws Malformed, also for versions that we do not know. */
export function readPublicKeyPacket(body: Uint8Array): KeyPacket {
  const { packet, rest } = readPublicPart(body)
  if (rest.length > 0) throw new Malformed('the key packet is longer than its key')
  return packet
}

/** Reads the public part of a key packet; `rest` is the secret part, where there is one. */
export function readPublicPart(bytes: Uint8Array): { readonly packet: KeyPacket; readonly rest: Uint8Array } {
  const cursor = new Cursor(bytes)
  const version = cursor.u8()
  if (version !== 4 && version !== 6) throw new Malformed(`a key of version ${version} is not supported`)
  const createdMs = cursor.u32() * 1000
  const algorithm = cursor.u8()
  const row = usableRow(algorithm, version)
  const material = version === 6 ? new Cursor(cursor.take(cursor.u32())) : cursor
  const read = row === undefined ? undefined : readPublicMaterial(row, material)
  if (read === undefined) material.rest() // of an unknown algorithm nobody can say where it ends
  if (version === 6 && material.left > 0) throw new Malformed('the key packet is longer than its key')
  const body = bytes.subarray(0, bytes.length - cursor.left)
  const packet = {
    version,
    algorithm,
    algorithmName: read?.name ?? `unknown-${algorithm}`,
    createdMs,
    ...identify(version, body),
    body,
    publicKeys: read?.keys ?? [],
    ...(read?.ecdh === undefined ? {} : { ecdh: read.ecdh }),
  }
  return { packet, rest: cursor.rest() }
}

/** What a new key packet is made of. */
export interface NewKey {
  readonly version: 4 | 6
  readonly algorithm: number
  /** Whole seconds count. */
  readonly createdMs: number
  readonly publicKeys: readonly KeyObject[]
}

export function newKeyPacket({ version, algorithm, createdMs, publicKeys }: NewKey): KeyPacket {
  const row = usableRow(algorithm, version)
  if (row === undefined) throw new TypeError(`no key of version ${version} has algorithm ${algorithm}`)
  const material = writePublicMaterial(row, publicKeys)
  const seconds = uint32(Math.floor(createdMs / 1000))
  const length = version === 6 ? [uint32(material.length)] : []
  return readPublicKeyPacket(
    concatBytes([Uint8Array.of(version), seconds, Uint8Array.of(algorithm), ...length, material]),
  )
}

/** What a signature or a fingerprint hashes of a key (RFC 9580 §5.2.4): its body behind its version's own prefix. */
export function hashedKey({ version, body }: Pick<KeyPacket, 'version' | 'body'>): Uint8Array {
  const prefix =
    version === 6
      ? [Uint8Array.of(0x9b), uint32(body.length)]
      : [Uint8Array.of(0x99, body.length >>> 8, body.length & 0xff)]
  return concatBytes([...prefix, body])
}

export const uint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)

function usableRow(algorithm: number, version: number): PublicKeyRow | undefined {
  const row = publicKeyAlgorithm(algorithm)
  return row?.keyVersions?.includes(version) === false ? undefined : row
}

function identify(version: number, body: Uint8Array): { fingerprint: string; keyId: Uint8Array } {
  if (body.length > BODY_MAX_BYTES) throw new Malformed('the key is too large')
  const fingerprint = hash(version === 6 ? 'sha256' : 'sha1', hashedKey({ version, body }), 'buffer')
  return {
    fingerprint: hex(fingerprint),
    keyId: version === 6 ? fingerprint.subarray(0, 8) : fingerprint.subarray(-8),
  }
}
