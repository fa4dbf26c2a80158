/**
 * Session keys under RSA, PKCS #1 v1.5 (RFC 9580 §5.1.3). OpenSSL answers a wrong padding with octets that look like a right one
 * (implicit rejection), so that nobody learns from our answers which it was (Bleichenbacher).
 */
import { Buffer } from 'node:buffer'
import { type KeyObject, constants, privateDecrypt, publicEncrypt } from 'node:crypto'
import { detailsOf } from '../../key-object.ts'
import { Cursor, writeMpi } from '../packets/cursor.ts'
import { type Carrier, only } from './carrier.ts'
import { readSessionKeyOctets, writeSessionKeyOctets } from './session-key.ts'

/** Old mail to a shorter key is read; none is written to it. */
export const MODULUS_MIN_BITS = 2048

const { RSA_PKCS1_PADDING: padding } = constants

export const rsaCarrier: Carrier = {
  open(fields, { handles }, version) {
    const key = only(handles)
    const number = new Cursor(fields).mpi()
    const modulusBytes = Math.ceil(modulusBitsOf(key) / 8)
    if (number.length > modulusBytes) return undefined
    const block = Buffer.alloc(modulusBytes)
    block.set(number, modulusBytes - number.length)
    return readSessionKeyOctets(privateDecrypt({ key, padding }, block), version)
  },
  write: ({ publicKeys }, sessionKey) =>
    writeMpi(publicEncrypt({ key: only(publicKeys), padding }, writeSessionKeyOctets(sessionKey))),
  canWriteTo: ({ publicKeys }) => modulusBitsOf(only(publicKeys)) >= MODULUS_MIN_BITS,
}

const modulusBitsOf = (key: KeyObject): number => detailsOf(key)?.modulusLength ?? 0
