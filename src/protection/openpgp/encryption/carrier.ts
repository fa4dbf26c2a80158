/** A public-key algorithm as what carries session keys: one of RFC 9580 §5.1.3 to §5.1.7, or of the post-quantum draft. */
import type { KeyObject } from 'node:crypto'
import type { KeyPacket } from '../keys/key-packet.ts'
import type { SessionKey } from './session-key.ts'

/** A key with its private part: one handle, or one for each part of a composite, as in `packet.publicKeys`. */
export interface KeyHalves {
  readonly packet: KeyPacket
  readonly handles: readonly KeyObject[]
}

/** One of the recipient's own. */
export interface DecryptionKey extends KeyHalves {
  /** Fingerprint of the certificate that it belongs to. */
  readonly certificate: string
}

export interface Carrier {
  /**
   * The session key in the algorithm's fields of a packet of this version. `undefined` when it does not come out, without
   * saying why; also throws Malformed, or what node:crypto throws, which must look the same to the sender.
   */
  open(fields: Uint8Array, key: KeyHalves, version: 3 | 6): SessionKey | undefined
  /** The fields that give the session key to whoever has this key; its cipher is written where it is known. */
  write(key: KeyPacket, sessionKey: SessionKey): Uint8Array
  /** Whether a session key may be given to this key. */
  canWriteTo(key: KeyPacket): boolean
}

/** The only handle, or only public key, of what is no composite; throws where it is missing, which the caller has ruled out. */
export function only(keys: readonly KeyObject[]): KeyObject {
  const [key] = keys
  if (key === undefined || keys.length > 1) throw new TypeError('not a single key')
  return key
}
