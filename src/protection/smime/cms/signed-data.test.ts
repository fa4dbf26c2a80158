import assert from 'node:assert/strict'
import { createHash, sign } from 'node:crypto'
import { test } from 'node:test'
import { push } from '../../../../test/support/push.ts'
import { smimeIdentity } from '../../../../test/support/smime-identity.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { contextTagged, der, integer, octetString, oid, sequence, setOf, time } from '../asn1/der-writer.ts'
import { TAG, contextConstructed } from '../asn1/tlv.ts'
import { CONTENT_TYPE } from './content-info.ts'
import { issuerAndSerial } from './entity-id.ts'
import { signedDataSink } from './sign.ts'
import { SIGNERS_MAX, findSigner, readSignedData, verifySigner } from './signed-data.ts'

const alice = smimeIdentity('p256', 'alice@example.com')
const bob = smimeIdentity('p256', 'bob@example.com')
const content = Buffer.from('Content-Type: text/plain\r\n\r\nHello\r\n')
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'))
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))

const attribute = (type: string, ...values: Uint8Array[]): Uint8Array => sequence(oid(type), setOf(values))
const contentType = attribute('1.2.840.113549.1.9.3', oid(CONTENT_TYPE.data))
const digestOf = (bytes: Uint8Array): Uint8Array => octetString(createHash('sha256').update(bytes).digest())
const messageDigest = attribute('1.2.840.113549.1.9.4', digestOf(content))
const signingTime = attribute('1.2.840.113549.1.9.5', time(Date.UTC(2026, 0, 1)))
const namesBob = sequence(sequence(sequence(digestOf(bob.certificate.encoded))))
const namesAlice = sequence(sequence(sequence(digestOf(alice.certificate.encoded))))
const SHA256_NULL = sequence(oid('2.16.840.1.101.3.4.2.1'), Uint8Array.of(5, 0))
const namesAliceAloud = sequence(sequence(sequence(SHA256_NULL, digestOf(alice.certificate.encoded))))

interface Forged {
  readonly attributes?: readonly Uint8Array[]
  /** What is signed; by default the attributes as DER SET OF. */
  readonly signed?: Uint8Array
  readonly digest?: Uint8Array
  readonly algorithm?: Uint8Array
  readonly sid?: Uint8Array
  readonly type?: string
  readonly copies?: number
  readonly unsigned?: readonly Uint8Array[]
}

/** A SignedData signed by Alice as told. */
function forge({ attributes, signed, digest = SHA256, algorithm = ECDSA_SHA256, ...rest }: Forged): Uint8Array {
  const covered = signed ?? (attributes === undefined ? content : setOf(attributes))
  const signature = octetString(sign('sha256', covered, alice.key))
  const sid = rest.sid ?? issuerAndSerial(alice.certificate)
  const signedAttributes = attributes === undefined ? [] : [der(contextConstructed(0), ...attributes)]
  const unsigned = rest.unsigned === undefined ? [] : [der(contextConstructed(1), ...rest.unsigned)]
  const info = sequence(integer(1), sid, digest, ...signedAttributes, algorithm, signature, ...unsigned)
  const infos = der(TAG.SET, ...Array.from({ length: rest.copies ?? 1 }, () => info))
  const encap = sequence(oid(rest.type ?? CONTENT_TYPE.data), contextTagged(0, octetString(content)))
  const signedData = sequence(integer(1), setOf([digest]), encap, infos)
  return sequence(oid(CONTENT_TYPE.signedData), contextTagged(0, signedData))
}

const sorted = (...members: Uint8Array[]): Uint8Array[] => members.toSorted(Buffer.compare)
const good = sorted(contentType, messageDigest, signingTime)
const unsorted = good.toReversed()
const MD5 = sequence(oid('1.2.840.113549.2.5'))
const SHA1 = sequence(oid('1.3.14.3.2.26'))
const SHA512 = sequence(oid('2.16.840.1.101.3.4.2.3'))
const ess = (value: Uint8Array) => attribute('1.2.840.113549.1.9.16.2.47', value)

const cases: readonly [forged: Forged, problem: string | undefined, why: string][] = [
  [{ attributes: good }, undefined, 'as it should be'],
  [{}, undefined, 'no attributes: the signature covers the content'],
  [{ attributes: sorted(contentType, messageDigest) }, undefined, 'no signing time'],
  [{ attributes: unsorted, signed: der(TAG.SET, ...unsorted) }, undefined, 'not sorted, and signed like that'],
  [{ attributes: unsorted }, undefined, 'not sorted, but signed as DER'],
  [{ attributes: sorted(...good, ess(namesAlice)) }, undefined, 'names its certificate (RFC 5035)'],
  [{ attributes: sorted(...good, ess(namesAliceAloud)) }, undefined, 'names its certificate and the digest'],
  [{ attributes: good, unsigned: [attribute('1.2.3.4', integer(1))] }, undefined, 'an unsigned attribute'],
  [{ attributes: good, unsigned: [signingTime] }, 'wrong', 'an unsigned signing-time (RFC 5652 §11.3)'],
  [{ attributes: good, digest: SHA256_NULL }, undefined, 'digest parameters NULL (RFC 5754 §2)'],
  [{ attributes: sorted(...good, ess(namesBob)) }, 'wrong', 'names another certificate'],
  [{ attributes: sorted(...good, ess(integer(1))) }, 'wrong', 'names a certificate in no way'],
  [{ attributes: sorted(messageDigest, signingTime) }, 'wrong', 'no content-type'],
  [{ attributes: sorted(contentType, signingTime) }, 'wrong', 'no message-digest'],
  [{ attributes: [] }, 'wrong', 'empty attributes'],
  [{ attributes: sorted(...good, messageDigest) }, 'wrong', 'message-digest twice'],
  [
    { attributes: sorted(...good, attribute('1.2.3.4', integer(1)), attribute('1.2.3.4', integer(2))) },
    'wrong',
    'twice',
  ],
  [
    {
      attributes: sorted(
        contentType,
        attribute('1.2.840.113549.1.9.4', digestOf(content), octetString(Buffer.alloc(32))),
      ),
    },
    'wrong',
    'message-digest with two values',
  ],
  [{ attributes: sorted(contentType, attribute('1.2.840.113549.1.9.4')) }, 'wrong', 'message-digest without a value'],
  [
    { attributes: sorted(contentType, attribute('1.2.840.113549.1.9.4', octetString(Buffer.alloc(32)))) },
    'wrong',
    'other digest',
  ],
  [
    { attributes: sorted(attribute('1.2.840.113549.1.9.3', oid(CONTENT_TYPE.signedData)), messageDigest) },
    'wrong',
    'other type',
  ],
  [{ attributes: good, type: CONTENT_TYPE.signedData }, 'wrong', 'content relabelled (RFC 5652 §11.1)'],
  [{ type: CONTENT_TYPE.signedData }, 'wrong', 'no attributes for a type that needs them (RFC 5652 §5.3)'],
  [
    { attributes: sorted(contentType, messageDigest, attribute('1.2.840.113549.1.9.5', integer(5))) },
    'wrong',
    'signing-time that is no time',
  ],
  [{ attributes: good, signed: content }, 'wrong', 'attributes that are not covered'],
  [{ signed: setOf(good) }, 'wrong', 'attributes taken away'],
  [{ attributes: good, digest: SHA512 }, 'wrong', 'two digests'],
  [{ attributes: good, digest: MD5 }, 'weak', 'MD5'],
  [{ attributes: good, digest: SHA1, algorithm: sequence(oid('1.2.840.10045.4.1')) }, 'weak', 'SHA-1'],
  [{ attributes: good, algorithm: sequence(oid('1.2.840.113549.1.1.11')) }, 'wrong', 'RSA with an EC key'],
  [{ attributes: good, algorithm: sequence(oid('1.2.840.10040.4.3')) }, 'wrong', 'DSA and another digest'],
]

for (const [forged, problem, why] of cases)
  test(`one signature: ${why}`, () => {
    const signedData = readSignedData(forge(forged))
    assert(signedData.ok, signedData.ok ? '' : signedData.error)
    const [signerInfo] = signedData.value.signerInfos
    assert(signerInfo !== undefined)
    const check = verifySigner(signedData.value, signerInfo, content, alice.certificate, { allowWeak: false })
    assert.equal(check.problem, problem, check.why ?? '')
    assert.equal(check.intact, problem === undefined)
    assert.equal(check.why === undefined, check.intact)
    if (!check.intact) assert.equal(check.signingTimeMs, undefined, 'a time that nobody signed is not shown')
    assert.equal(
      verifySigner(signedData.value, signerInfo, content, bob.certificate, { allowWeak: true }).intact,
      false,
    )
    const other = Buffer.concat([content, Buffer.from('x')])
    assert.equal(
      verifySigner(signedData.value, signerInfo, other, alice.certificate, { allowWeak: true }).intact,
      false,
    )
  })

test('a signer is named by issuer and serial number or by key identifier', () => {
  const keyId = alice.certificate.subjectKeyId
  assert(keyId !== undefined)
  const sids: readonly [sid: Uint8Array, found: boolean, why: string][] = [
    [der(0x80, keyId), true, 'key identifier'],
    [der(0xa0, octetString(keyId.subarray(0, 5)), octetString(keyId.subarray(5))), true, 'key identifier in pieces'],
    [der(0x80, Buffer.alloc(20)), false, 'another key identifier'],
    [sequence(alice.certificate.issuer, alice.certificate.serial), true, 'issuer and serial number'],
    [sequence(otherStrings(alice.certificate.issuer), alice.certificate.serial), true, 'issuer in other string types'],
    [sequence(alice.certificate.issuer, integer(7)), false, 'another serial number'],
    [sequence(bob.certificate.issuer, alice.certificate.serial), false, 'another issuer'],
    [sequence(sequence(integer(1)), alice.certificate.serial), false, 'an issuer that is no name'],
  ]
  for (const [sid, found, why] of sids) {
    const signedData = readSignedData(forge({ attributes: good, sid }))
    assert(signedData.ok && signedData.value.signerInfos[0] !== undefined)
    const signer = findSigner(signedData.value.signerInfos[0], [bob.certificate, alice.certificate])
    assert.equal(signer, found ? alice.certificate : undefined, why)
  }
})

/** UTF8String → PrintableString. */
function otherStrings(name: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(name)
  const at = copy.indexOf(TAG.UTF8_STRING)
  copy[at] = TAG.T61_STRING
  return copy
}

test('of two certificates that fit, the one whose hash is signed is the signer', () => {
  const twin = { ...alice.certificate, encoded: bob.certificate.encoded, fingerprint: 'twin' }
  const signedData = readSignedData(forge({ attributes: sorted(...good, ess(namesAlice)) }))
  assert(signedData.ok && signedData.value.signerInfos[0] !== undefined)
  assert.equal(findSigner(signedData.value.signerInfos[0], [twin, alice.certificate]), alice.certificate)
})

const structures: readonly [bytes: Uint8Array, error: RegExp, why: string][] = [
  [forge({ attributes: good, copies: SIGNERS_MAX + 1 }), /too many signers/, 'signers without limit'],
  [forge({ attributes: good, sid: integer(1) }), /malformed/, 'a signer without a name'],
  [forge({ attributes: good, digest: integer(1) }), /AlgorithmIdentifier/, 'a digest that is no algorithm'],
  [concatBytes([forge({ attributes: good }), Buffer.from('x')]), /bytes after the end/, 'bytes behind'],
  [forge({ attributes: good }).subarray(0, -1), /unexpected end/, 'cut off'],
  [sequence(oid(CONTENT_TYPE.envelopedData), contextTagged(0, sequence())), /not a SignedData/, 'another type'],
  [new Uint8Array(), /unexpected end/, 'nothing'],
  [content, /tag|length|missing|end/, 'text'],
]

for (const [bytes, error, why] of structures)
  test(`a structure that is refused: ${why}`, () => {
    const signedData = readSignedData(bytes)
    assert(!signedData.ok)
    assert.match(signedData.error, error)
  })

test('any byte flipped: never intact for other content, another time, another signer; never a throw', () => {
  const signingTimeMs = Date.UTC(2026, 0, 1)
  const options = { keys: [alice], detached: false, choice: {}, signingTimeMs }
  const bytes = push(content, (out) => signedDataSink(options, out))
  let intactCount = 0
  for (let at = 0; at < bytes.length; at++)
    for (const mask of [0x01, 0x80, 0xff]) {
      const flipped = Uint8Array.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ mask
      const signedData = readSignedData(flipped)
      if (!signedData.ok) continue
      for (const signerInfo of signedData.value.signerInfos) {
        const covered: Uint8Array = signedData.value.content ?? new Uint8Array()
        const check = verifySigner(signedData.value, signerInfo, covered, alice.certificate, { allowWeak: true })
        if (!check.intact) continue
        intactCount++
        assert.deepEqual(Buffer.from(covered), content)
        assert.equal(check.signingTimeMs, signingTimeMs)
      }
    }
  assert(intactCount > 0, 'certificates and version numbers are not covered by the signature')
})
