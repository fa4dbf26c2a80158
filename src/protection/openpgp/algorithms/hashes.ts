/** Hash algorithms of OpenPGP (RFC 9580 §9.5), one table row each. */
import { Buffer } from 'node:buffer'
import type { Weakness } from '../../weakness.ts'

export interface HashRow {
  readonly id: number
  /** As node:crypto calls it. */
  readonly name: string
  readonly lengthBytes: number
  /** Octets of random salt in front of what a version 6 signature hashes; missing where none may be made with it. */
  readonly saltBytes?: number
  /** Word of the `micalg` parameter of multipart/signed (RFC 3156 §5). */
  readonly micalg: string
  /** DigestInfo of RSA signatures up to the digest itself (RFC 8017 §9.2). */
  readonly digestInfo: Uint8Array
  readonly weak?: Weakness
}

const NIST = '6086480165030402'

export const HASHES: readonly HashRow[] = [
  {
    id: 1,
    name: 'md5',
    lengthBytes: 16,
    micalg: 'pgp-md5',
    digestInfo: digestInfo('2a864886f70d0205', 16),
    weak: { since: 2011, source: 'RFC 6151' },
  },
  {
    id: 2,
    name: 'sha1',
    lengthBytes: 20,
    micalg: 'pgp-sha1',
    digestInfo: digestInfo('2b0e03021a', 20),
    weak: { since: 2011, source: 'RFC 6194' },
  },
  {
    id: 3,
    name: 'ripemd160',
    lengthBytes: 20,
    micalg: 'pgp-ripemd160',
    digestInfo: digestInfo('2b24030201', 20),
    weak: { since: 2024, source: 'RFC 9580' },
  },
  { id: 8, name: 'sha256', lengthBytes: 32, saltBytes: 16, micalg: 'pgp-sha256', digestInfo: nist('01', 32) },
  { id: 9, name: 'sha384', lengthBytes: 48, saltBytes: 24, micalg: 'pgp-sha384', digestInfo: nist('02', 48) },
  { id: 10, name: 'sha512', lengthBytes: 64, saltBytes: 32, micalg: 'pgp-sha512', digestInfo: nist('03', 64) },
  { id: 11, name: 'sha224', lengthBytes: 28, saltBytes: 16, micalg: 'pgp-sha224', digestInfo: nist('04', 28) },
  { id: 12, name: 'sha3-256', lengthBytes: 32, saltBytes: 16, micalg: 'pgp-sha3-256', digestInfo: nist('08', 32) },
  { id: 14, name: 'sha3-512', lengthBytes: 64, saltBytes: 32, micalg: 'pgp-sha3-512', digestInfo: nist('0a', 64) },
]

export const hashById = (id: number): HashRow | undefined => HASHES.find((row) => row.id === id)

function nist(lastArc: string, lengthBytes: number): Uint8Array {
  return digestInfo(`${NIST}${lastArc}`, lengthBytes)
}

/** SEQUENCE { SEQUENCE { OBJECT IDENTIFIER, NULL }, OCTET STRING } without the octets of the string. */
function digestInfo(oidHex: string, lengthBytes: number): Uint8Array {
  const oid = Buffer.from(oidHex, 'hex')
  const algorithm = [0x06, oid.length, ...oid, 0x05, 0x00]
  const content = [0x30, algorithm.length, ...algorithm, 0x04, lengthBytes]
  return Uint8Array.of(0x30, content.length + lengthBytes, ...content)
}
