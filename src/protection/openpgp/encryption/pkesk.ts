/** The Public-Key Encrypted Session Key packet (RFC 9580 §5.1): for whom the session key is, and by which algorithm it comes. */
import { Buffer } from 'node:buffer'
import { concatBytes, equalBytes, hex } from '../../../base/bytes.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { Cursor } from '../packets/cursor.ts'

export interface Pkesk {
  /** 3 goes with all containers but seipd2, 6 with seipd2 only (RFC 9580 §10.3.2.1). */
  readonly version: 3 | 6
  /** Key id (version 3) or fingerprint (version 6); missing where the recipient is not to be known. */
  readonly recipient?: Uint8Array
  readonly algorithm: number
  /** What the algorithm needs. */
  readonly fields: Uint8Array
}

const KEY_ID_BYTES = 8
const ANONYMOUS = Buffer.alloc(KEY_ID_BYTES)

/** `undefined` for versions that are not ours, which are passed over. Throws Malformed. */
export function readPkesk(body: Uint8Array): Pkesk | undefined {
  const cursor = new Cursor(body)
  switch (cursor.u8()) {
    case 3: {
      const keyId = cursor.take(KEY_ID_BYTES)
      const recipient = equalBytes(keyId, ANONYMOUS) ? {} : { recipient: keyId }
      return { version: 3, ...recipient, algorithm: cursor.u8(), fields: cursor.rest() }
    }
    case 6: {
      const named = cursor.take(cursor.u8())
      const recipient = named.length === 0 ? {} : { recipient: named.subarray(1) } // behind the version of the key
      return { version: 6, ...recipient, algorithm: cursor.u8(), fields: cursor.rest() }
    }
    default:
      return undefined
  }
}

/** The packet's body, to this key; anonymous names nobody. */
export function writePkesk(version: 3 | 6, key: KeyPacket, fields: Uint8Array, anonymous: boolean): Uint8Array {
  const recipient = version === 3 ? (anonymous ? ANONYMOUS : key.keyId) : versionedFingerprint(key, anonymous)
  return concatBytes([Uint8Array.of(version), recipient, Uint8Array.of(key.algorithm), fields])
}

function versionedFingerprint({ version, fingerprint }: KeyPacket, anonymous: boolean): Uint8Array {
  if (anonymous) return Uint8Array.of(0)
  const octets = Buffer.from(fingerprint, 'hex')
  return concatBytes([Uint8Array.of(octets.length + 1, version), octets])
}

/** Whether the packet says that it is for this key; a key of another algorithm can do nothing with it. */
export function names({ version, recipient, algorithm }: Pkesk, key: KeyPacket): boolean {
  if (recipient === undefined || algorithm !== key.algorithm) return false
  return version === 3 ? equalBytes(recipient, key.keyId) : hex(recipient) === key.fingerprint
}
