/** Session keys by X25519 and X448 (RFC 9580 §5.1.6, §5.1.7). */
import { type KeyObject, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { Cursor } from '../packets/cursor.ts'
import { type Carrier, only } from './carrier.ts'
import { unwrap, wrap } from './key-wrap.ts'
import { type SessionKey, cipherOctet, withCipher } from './session-key.ts'

export interface XdhRow {
  readonly type: 'x25519' | 'x448'
  readonly pointBytes: number
  readonly hash: string
  /** Goes into the derivation. */
  readonly label: string
  /** Of the wrapping key. */
  readonly wrapBytes: number
}

export const X25519: XdhRow = { type: 'x25519', pointBytes: 32, hash: 'sha256', label: 'OpenPGP X25519', wrapBytes: 16 }
export const X448: XdhRow = { type: 'x448', pointBytes: 56, hash: 'sha512', label: 'OpenPGP X448', wrapBytes: 32 }

export function xdhCarrier(row: XdhRow): Carrier {
  return {
    open(fields, { packet, handles }, version) {
      const cursor = new Cursor(fields)
      const point = cursor.take(row.pointBytes)
      const secret = agree(row, only(handles), point)
      const wrappingKey = deriveWrappingKey(row, point, only(packet.publicKeys), secret)
      return readWrappedKey(cursor, wrappingKey, version)
    },
    write({ publicKeys }, sessionKey) {
      const publicKey = only(publicKeys)
      const { point, secret } = agreeOneTime(row, publicKey)
      return concatBytes([point, writeWrappedKey(deriveWrappingKey(row, point, publicKey, secret), sessionKey)])
    },
    canWriteTo: () => true,
  }
}

/** The secret of a one-time point and our key. Throws when it is all zeros, as a point of small order makes it. */
export function agree({ type }: XdhRow, privateKey: KeyObject, point: Uint8Array): Uint8Array {
  return diffieHellman({
    privateKey,
    publicKey: createPublicKey({ key: point, format: 'raw-public', asymmetricKeyType: type }),
  })
}

/** A secret with whoever has this key, and the point that lets them find it. */
export function agreeOneTime(
  { type }: XdhRow,
  publicKey: KeyObject,
): { readonly point: Uint8Array; readonly secret: Uint8Array } {
  const oneTime = type === 'x25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('x448')
  const secret = diffieHellman({ privateKey: oneTime.privateKey, publicKey })
  return { point: oneTime.publicKey.export({ format: 'raw-public' }), secret }
}

function deriveWrappingKey(row: XdhRow, point: Uint8Array, publicKey: KeyObject, secret: Uint8Array): Uint8Array {
  const input = concatBytes([point, publicKey.export({ format: 'raw-public' }), secret])
  return new Uint8Array(hkdfSync(row.hash, input, NO_SALT, row.label, row.wrapBytes))
}

const NO_SALT = new Uint8Array()

/** Length of what follows; in version 3 the cipher, in clear; the wrapped key. */
export function readWrappedKey(cursor: Cursor, wrappingKey: Uint8Array, version: 3 | 6): SessionKey | undefined {
  const rest = new Cursor(cursor.take(cursor.u8()))
  if (version === 6) return { key: unwrap(wrappingKey, rest.rest()) }
  const cipherId = rest.u8()
  const sessionKey = withCipher(cipherId, unwrap(wrappingKey, rest.rest()))
  return sessionKey?.cipher?.name.startsWith('aes-') === true ? sessionKey : undefined
}

export function writeWrappedKey(wrappingKey: Uint8Array, { key, cipher }: SessionKey): Uint8Array {
  const rest = concatBytes([...cipherOctet(cipher), wrap(wrappingKey, key)])
  return concatBytes([Uint8Array.of(rest.length), rest])
}
