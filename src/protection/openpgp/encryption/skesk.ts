/**
 * The Symmetric-Key Encrypted Session Key packet (RFC 9580 §5.3): whoever knows the password has the session key. Version 5 is of
 * GnuPG 2.3 and LibrePGP.
 */
import { Buffer } from 'node:buffer'
import { hkdfSync } from 'node:crypto'
import { type AeadRow, aeadById, openAead, runsAead } from '../algorithms/aeads.ts'
import { type CipherRow, cipherById, decryptCfb } from '../algorithms/ciphers.ts'
import { type S2k, deriveFromPassword, readS2k } from '../keys/s2k.ts'
import { Cursor } from '../packets/cursor.ts'
import { PACKET } from '../packets/packet.ts'
import { type SessionKey, withCipher } from './session-key.ts'

export type Skesk = { readonly cipher: CipherRow; readonly s2k: S2k; readonly sealed: Uint8Array } & (
  { readonly version: 4 } | { readonly version: 5 | 6; readonly aead: AeadRow; readonly nonce: Uint8Array }
)

/** `undefined` for versions and algorithms that are not ours, which are passed over. Throws Malformed. */
export function readSkesk(body: Uint8Array): Skesk | undefined {
  const cursor = new Cursor(body)
  const version = cursor.u8()
  if (version !== 4 && version !== 5 && version !== 6) return undefined
  if (version === 6) cursor.u8() // length of the next five fields, each of which says its own
  const cipher = cipherById(cursor.u8())
  const aead = version === 4 ? undefined : aeadById(cursor.u8())
  if (version === 6) cursor.u8() // length of the next field
  const s2k = cipher === undefined ? undefined : readS2k(cursor)
  if (cipher === undefined || s2k === undefined) return undefined
  if (version === 4) return { version, cipher, s2k, sealed: cursor.rest() }
  if (aead === undefined || !runsAead(cipher)) return undefined
  return { version, cipher, s2k, aead, nonce: cursor.take(aead.nonceBytes), sealed: cursor.rest() }
}

/** The session key, if this is the password: of version 4 nobody can tell before the container opens. Throws Malformed. */
export function openWithPassword(skesk: Skesk, password: string): SessionKey | undefined {
  const { cipher, s2k, sealed } = skesk
  const key = deriveFromPassword(s2k, password, cipher.keyBytes)
  if (skesk.version === 4) return sealed.length === 0 ? { key, cipher } : openSealed(cipher, key, sealed)
  const { version, aead, nonce } = skesk
  const associatedData = Uint8Array.of(0xc0 | PACKET.SKESK, version, cipher.id, aead.id)
  const wrappingKey = version === 6 ? derive(key, associatedData) : key
  const opened = openAead({ aead, cipher, key: wrappingKey, nonce, associatedData }, sealed)
  if (opened === undefined) return undefined
  return version === 6 ? { key: opened } : { key: opened, cipher }
}

const derive = (key: Uint8Array, info: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), info, key.length))

function openSealed(cipher: CipherRow, key: Uint8Array, sealed: Uint8Array): SessionKey | undefined {
  const octets = decryptCfb(cipher, key, Buffer.alloc(cipher.blockBytes)).update(sealed)
  return withCipher(octets[0] ?? 0, octets.subarray(1))
}
