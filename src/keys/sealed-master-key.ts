/** The master key under a password, for a backup: a copy that is noise to who does not know it. */
import { argon2, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { promisify } from 'node:util'
import { fail, ok, type Result } from '../base/result.ts'
import type { MasterKey } from '../store/bytes/data-keys.ts'

/** The format, and what it fixes: Argon2id (RFC 9106 §4, second recommended option), AES-256-GCM. */
const FORMAT = 'sealpost-master-key-1'
const MEMORY_KIB = 65_536
const PASSES = 3
const LANES = 4
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
/** As long as the key's 64 digits deserve, and still remembered. */
export const PASSWORD_MIN_LENGTH = 12

const derive = promisify(argon2)

/** One line of text. */
export async function sealMasterKey({ key }: MasterKey, password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', await wrappingKey(password, salt), nonce)
  cipher.setAAD(Buffer.from(FORMAT))
  const sealed = [cipher.update(key.export()), cipher.final(), cipher.getAuthTag()]
  return `${FORMAT} ${Buffer.concat([salt, nonce, ...sealed]).toString('base64')}\n`
}

/** The master key's bytes. */
export async function openMasterKey(text: string, password: string): Promise<Result<Uint8Array>> {
  const [format, encoded = ''] = text.trim().split(' ')
  const bytes = Buffer.from(encoded, 'base64')
  if (format !== FORMAT || bytes.length !== SALT_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES)
    return fail('this is no master key under a password')
  const salt = bytes.subarray(0, SALT_BYTES)
  const nonce = bytes.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', await wrappingKey(password, salt), nonce, {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(FORMAT))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return ok(Buffer.concat([decipher.update(bytes.subarray(SALT_BYTES + NONCE_BYTES, -TAG_BYTES)), decipher.final()]))
  } catch {
    return fail('the password is wrong')
  }
}

function wrappingKey(password: string, nonce: Uint8Array): Promise<Buffer> {
  const message = Buffer.from(password.normalize('NFC'), 'utf8')
  return derive('argon2id', {
    message,
    nonce,
    memory: MEMORY_KIB,
    passes: PASSES,
    parallelism: LANES,
    tagLength: KEY_BYTES,
  })
}
