/** Keys out of a home folder of GnuPG, read without it: a keybox for certificates, canonical S-expressions for keys. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { type KeyObject, createPrivateKey, createPublicKey } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { isSameKey } from '../../src/protection/key-object.ts'

export function readGpgsmHome(folder: string): {
  readonly certificates: readonly SmimeCertificate[]
  readonly keys: readonly { readonly certificate: SmimeCertificate; readonly key: KeyObject }[]
} {
  const certificates = certificatesIn(readFileSync(join(folder, 'pubring.kbx')))
  const keys = globSync(join(folder, 'private-keys-v1.d/*.key')).flatMap((file) => {
    const key = readRsaKey(readFileSync(file))
    if (key === undefined) return []
    const certificate = certificates.find((each) => isSameKey(each.publicKey, createPublicKey(key)))
    return certificate === undefined ? [] : [{ certificate, key }]
  })
  return { certificates, keys }
}

/** Certificates stand in a keybox as they are, among other things. */
function certificatesIn(keybox: Buffer): SmimeCertificate[] {
  const found: SmimeCertificate[] = []
  for (let at = keybox.indexOf(LONG_SEQUENCE); at >= 0; at = keybox.indexOf(LONG_SEQUENCE, at + 1)) {
    const parsed = parseCertificate(Uint8Array.from(keybox.subarray(at, at + 4 + keybox.readUInt16BE(at + 2))))
    if (parsed.ok) found.push(parsed.value)
  }
  return found
}

const LONG_SEQUENCE = Buffer.of(0x30, 0x82)

/** `(private-key(rsa(n…)(e…)(d…)(p…)(q…)(u…)))`, each string with its length before it; others are left out. */
function readRsaKey(file: Buffer): KeyObject | undefined {
  const text = file.toString('latin1')
  if (!text.startsWith('(11:private-key(3:rsa(')) return undefined
  const numbers = new Map<string, bigint>()
  let at = text.indexOf('(1:')
  while (at >= 0) {
    const [head, name = '', length = ''] = /^\(1:(\w)(\d+):/.exec(text.slice(at, at + 12)) ?? []
    assert(head !== undefined)
    const from = at + head.length
    numbers.set(name, BigInt(`0x${file.subarray(from, from + Number(length)).toString('hex')}`))
    at = text.startsWith(')(1:', from + Number(length)) ? from + Number(length) + 1 : -1
  }
  const [n, e, d, p, q] = ['n', 'e', 'd', 'p', 'q'].map(
    (name) => numbers.get(name) ?? assert.fail(`no ${name}`),
  ) as Five
  const parts = { n, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const jwk = Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, base64url(value)]))
  return createPrivateKey({ key: { kty: 'RSA', ...jwk }, format: 'jwk' })
}

type Five = [bigint, bigint, bigint, bigint, bigint]

/** The inverse of `a` modulo the prime `p`. */
function inverse(a: bigint, p: bigint): bigint {
  let result = 1n
  for (let base = a % p, exponent = p - 2n; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = (result * base) % p
    base = (base * base) % p
  }
  return result
}

function base64url(value: bigint): string {
  const digits = value.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex').toString('base64url')
}
