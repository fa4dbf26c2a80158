/**
 * How things are sealed at rest. A sealed object is a header (version, data key, salt) and frames of at most FRAME_BYTES,
 * each AES-256-GCM under a key that HKDF (RFC 5869) derives for this one object from the data key and the salt. The frame's
 * number and "this is the last" are its nonce, so frames cannot be left out, swapped or cut off, and since no two objects
 * share a key, no nonce is used twice.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, type KeyObject } from 'node:crypto'
import { Buffer } from 'node:buffer'

/** Plaintext in one frame. */
export const FRAME_BYTES = 64 * 1024
export const TAG_BYTES = 16
export const SEALED_FRAME_BYTES = FRAME_BYTES + TAG_BYTES
const VERSION = 1
const SALT_BYTES = 32
const NONCE_BYTES = 12
/** Version (1), data key id (4, big-endian), salt. */
export const HEADER_BYTES = 1 + 4 + SALT_BYTES

/** What an object is for. Part of the key derivation, so one cannot be taken for the other. */
export type SealPurpose = 'message' | 'private-key' | 'revocation-certificate' | 'dkim-key' | 'spill'

/** A key from table data_keys, unwrapped. */
export interface DataKey {
  readonly id: number
  readonly key: KeyObject
}

/** There is no such message (any more): another terminal has deleted it. */
export class BytesMissing extends Error {
  override readonly name = 'BytesMissing'
}

/** What was read from disk is not what was written: damaged, cut off, or changed by somebody. */
export class BytesDamaged extends Error {
  override readonly name = 'BytesDamaged'
}

/** Seals the frames of one new object, in order. */
export class Sealer {
  readonly header: Uint8Array
  readonly #key: Uint8Array
  readonly #associated: Uint8Array | undefined
  #frames = 0

  /** `associated` is bound to every frame, but not stored: who opens the object must know it. */
  constructor(dataKey: DataKey, purpose: SealPurpose, associated?: Uint8Array) {
    const salt = randomBytes(SALT_BYTES)
    const header = Buffer.alloc(HEADER_BYTES)
    header[0] = VERSION
    header.writeUInt32BE(dataKey.id, 1)
    header.set(salt, 5)
    this.header = header
    this.#key = objectKey(dataKey.key, salt, purpose)
    this.#associated = associated
  }

  /** The pieces together are FRAME_BYTES long, or shorter when it is the last. Returns pieces of ciphertext, and the tag. */
  frame(plaintext: readonly Uint8Array[], last: boolean): Uint8Array[] {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce(this.#frames++, last))
    if (this.#associated !== undefined) cipher.setAAD(this.#associated)
    const sealed = plaintext.map((piece) => cipher.update(piece))
    cipher.final()
    return [...sealed, cipher.getAuthTag()]
  }
}

/** Opens the frames of one object. */
export class Opener {
  readonly #key: Uint8Array
  readonly #associated: Uint8Array | undefined
  #frames = 0

  constructor(header: Uint8Array, dataKey: DataKey, purpose: SealPurpose, associated?: Uint8Array) {
    this.#key = objectKey(dataKey.key, header.subarray(5, HEADER_BYTES), purpose)
    this.#associated = associated
  }

  /** The next frame. Throws BytesDamaged; nothing of a frame comes out before its tag has been verified. */
  frame(sealed: Uint8Array, last: boolean): Uint8Array {
    return this.frameAt(this.#frames++, sealed, last)
  }

  /** Any frame, by its number. Throws as `frame`. */
  frameAt(number: number, sealed: Uint8Array, last: boolean): Uint8Array {
    if (sealed.length < TAG_BYTES) throw new BytesDamaged('A sealed frame is cut off')
    const end = sealed.length - TAG_BYTES
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce(number, last), {
      authTagLength: TAG_BYTES,
    })
    if (this.#associated !== undefined) decipher.setAAD(this.#associated)
    decipher.setAuthTag(sealed.subarray(end))
    const plaintext = decipher.update(sealed.subarray(0, end))
    try {
      decipher.final()
    } catch (error) {
      throw new BytesDamaged('A sealed frame does not verify: it was changed, or it is out of its place', {
        cause: error,
      })
    }
    return plaintext
  }
}

/** Which data key opens an object. Throws BytesDamaged when this is no sealed object. */
export function dataKeyIdOf(header: Uint8Array): number {
  if (header.length < HEADER_BYTES || header[0] !== VERSION) throw new BytesDamaged('Not a sealed object')
  return Buffer.from(header.buffer, header.byteOffset, HEADER_BYTES).readUInt32BE(1)
}

/** A whole object of at most one frame. */
export function sealSmall(
  dataKey: DataKey,
  purpose: SealPurpose,
  plaintext: Uint8Array,
  associated?: Uint8Array,
): Uint8Array {
  if (plaintext.length > FRAME_BYTES) throw new Error(`sealSmall takes at most ${FRAME_BYTES} bytes`)
  const sealer = new Sealer(dataKey, purpose, associated)
  return Buffer.concat([sealer.header, ...sealer.frame([plaintext], true)])
}

export function openSmall(
  dataKey: DataKey,
  purpose: SealPurpose,
  sealed: Uint8Array,
  associated?: Uint8Array,
): Uint8Array {
  return new Opener(sealed, dataKey, purpose, associated).frame(sealed.subarray(HEADER_BYTES), true)
}

function objectKey(dataKey: KeyObject, salt: Uint8Array, purpose: SealPurpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, `sealpost ${VERSION} ${purpose}`, 32))
}

function nonce(frame: number, last: boolean): Uint8Array {
  const bytes = Buffer.alloc(NONCE_BYTES)
  bytes.writeUIntBE(frame, 6, 6)
  bytes[0] = last ? 1 : 0
  return bytes
}
