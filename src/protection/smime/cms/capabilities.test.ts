import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { makeCertificate } from '../../../../test/support/x509-maker.ts'
import type { StatedAbilities } from '../../standard.ts'
import { CIPHERS_BEST_FIRST } from '../../strength.ts'
import { CIPHERS } from './ciphers.ts'
import { parseDer } from '../asn1/der-reader.ts'
import { NULL, integer, oid, octetString, sequence, setOf } from '../asn1/der-writer.ts'
import { SMIME_CAPABILITIES, capabilitiesDer, certificateAbilities, readCapabilities } from './capabilities.ts'
import { OAEP_ALGORITHM } from './key-transport.ts'

const AES_128_CBC = '2.16.840.1.101.3.4.1.2'
const AES_256_CBC = '2.16.840.1.101.3.4.1.42'
const AES_256_GCM = '2.16.840.1.101.3.4.1.46'
const DES3 = '1.2.840.113549.3.7'
const RC2 = '1.2.840.113549.3.2'
const OAEP = '1.2.840.113549.1.1.7'
const PSS = '1.2.840.113549.1.1.10'

const capability = (dotted: string, ...parameters: Uint8Array[]) => sequence(oid(dotted), ...parameters)
const NOTHING = { ciphers: [], keyTransports: [], signatures: [] }

const rows: readonly [der: Uint8Array, expected: Partial<StatedAbilities> | undefined, why: string][] = [
  [sequence(), NOTHING, 'an empty list says nothing'],
  [
    sequence(capability(AES_256_CBC), capability(AES_128_CBC), capability(DES3), capability(RC2, integer(128))),
    { ciphers: ['aes-256-cbc', 'aes-128-cbc'] },
    'as `openssl cms -sign` writes it: what we never write is passed over',
  ],
  [
    sequence(capability(AES_128_CBC), capability(AES_256_GCM)),
    { ciphers: ['aes-128-cbc', 'aes-256-gcm'] },
    'their order is kept',
  ],
  [
    sequence(capability(AES_256_GCM, NULL), capability(AES_256_GCM)),
    { ciphers: ['aes-256-gcm'] },
    'said twice, with NULL',
  ],
  [sequence(capability(RC2, integer(40))), NOTHING, 'RC2-40 alone is nothing that we would write'],
  [sequence(OAEP_ALGORITHM), { keyTransports: ['rsa-oaep'] }, 'OAEP with SHA-256'],
  [sequence(capability(OAEP, sequence())), NOTHING, 'OAEP with its defaults is SHA-1, which we do not write'],
  [sequence(capability(PSS)), { signatures: ['rsa-pss'] }, 'RSASSA-PSS'],
  [setOf([capability(AES_256_GCM)]), undefined, 'not a SEQUENCE'],
  [sequence(octetString(new Uint8Array(3))), undefined, 'not capabilities'],
  [sequence(capability(AES_256_GCM, NULL, NULL)), undefined, 'more than an algorithm has'],
  [
    sequence(...Array.from({ length: 64 }, () => capability(DES3)), capability(AES_256_GCM)),
    NOTHING,
    'beyond the limit nothing is read',
  ],
]

for (const [der, expected, why] of rows)
  test(`SMIMECapabilities: ${why}`, () => {
    const parsed = parseDer(der)
    assert(parsed.ok)
    assert.deepEqual(readCapabilities(parsed.value), expected && { ...NOTHING, ...expected })
  })

test('what we write says all that we would write, the strongest first', () => {
  const parsed = parseDer(capabilitiesDer())
  assert(parsed.ok)
  assert.deepEqual(readCapabilities(parsed.value), {
    ciphers: CIPHERS_BEST_FIRST.filter((name) => CIPHERS.some((row) => row.name === name)),
    keyTransports: ['rsa-oaep'],
    signatures: ['rsa-pss'],
  })
  assert.equal(CIPHERS_BEST_FIRST[0], 'aes-256-gcm')
})

const ofCertificate = (kind: 'ec' | 'x25519', value?: Uint8Array) => {
  const { privateKey } =
    kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) : generateKeyPairSync('x25519')
  const extensions = value === undefined ? [] : [sequence(oid(SMIME_CAPABILITIES), octetString(value))]
  const issuer = makeCertificate({ name: 'Issuer' })
  return certificateAbilities(makeCertificate({ name: 'Bob', key: privateKey, issuer, extensions }).certificate)
}

test('a certificate says what its owner reads (RFC 4262), or shows it by its kind of key', () => {
  assert.equal(ofCertificate('ec'), undefined)
  assert.deepEqual(ofCertificate('ec', sequence(capability(AES_256_GCM)))?.ciphers, ['aes-256-gcm'])
  assert.equal(ofCertificate('ec', Buffer.from('junk')), undefined)
  assert.equal(ofCertificate('x25519')?.ciphers[0], 'aes-256-gcm', 'nobody has X25519 without AES-GCM')
  assert.deepEqual(ofCertificate('x25519', sequence(capability(AES_128_CBC)))?.ciphers, ['aes-128-cbc'], 'said is said')
})
