import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RC2_128_AND_2DES, RC2_40_AND_3DES } from '../../../../test/support/pkcs12-samples.ts'
import { certificateDer, keyNamed } from '../../../../test/support/x509-maker.ts'
import { der, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { writePem } from './pem.ts'
import { readPkcs12, writePkcs12 } from './pkcs12.ts'

const PASSWORD = 'pässwört €'
const key = keyNamed('user')
const own = certificateDer({ name: 'user' })
const authority = certificateDer({ name: 'authority' })
const file = writePkcs12({
  pairs: [{ key, certificate: own }],
  others: [authority],
  password: PASSWORD,
  iterations: 100,
})

describe('what was written is read', () => {
  test('the key, all certificates in order, and which one is whose', () => {
    const read = readPkcs12(file, PASSWORD)
    assert.ok(read.ok)
    const { keys, certificates, pairs } = read.value
    assert.ok(keys.length === 1 && keys[0]?.equals(key))
    assert.deepEqual(certificates.map(Buffer.from), [own, authority].map(Buffer.from))
    assert.deepEqual(
      pairs.map((pair) => Buffer.from(pair.certificate)),
      [Buffer.from(own)],
    )
  })
  test('two keys, each with its certificate', () => {
    const pairs = ['ed25519', 'x25519'].map((name) => ({ key: keyNamed(name), certificate: certificateDer({ name }) }))
    const read = readPkcs12(writePkcs12({ pairs, others: [authority], password: PASSWORD, iterations: 1 }), PASSWORD)
    assert.ok(read.ok)
    assert.deepEqual(
      read.value.pairs.map(({ key: found, certificate }) => [
        found.equals(pairs[0]?.key ?? key),
        Buffer.from(certificate),
      ]),
      pairs.map(({ certificate }, i) => [i === 0, Buffer.from(certificate)]),
    )
    assert.equal(read.value.certificates.length, 3)
  })
  test('an empty password', () => {
    const written = writePkcs12({ pairs: [{ key, certificate: own }], password: '', iterations: 1 })
    assert.ok(readPkcs12(written, '').ok)
    assert.ok(!readPkcs12(written, 'x').ok)
  })
  test('in PEM', () => {
    assert.ok(readPkcs12(Buffer.from(writePem('PKCS12', file)), PASSWORD).ok)
    assert.ok(!readPkcs12(Buffer.from(writePem('CERTIFICATE', file)), PASSWORD).ok)
  })
})

describe('files of old programs', () => {
  for (const [bytes, why] of [
    [RC2_40_AND_3DES, 'RC2 with 40 bits and 3DES'],
    [RC2_128_AND_2DES, 'RC2 with 128 bits and 3DES with two keys'],
  ] as const)
    test(why, () => {
      const read = readPkcs12(bytes, 'sesame')
      assert.ok(read.ok)
      assert.equal(read.value.pairs.length, 1)
      assert.ok(!readPkcs12(bytes, 'Sesame').ok)
    })
})

describe('files that are refused', () => {
  const data = (content: Uint8Array): Uint8Array =>
    sequence(oid('1.2.840.113549.1.7.1'), der(0xa0, octetString(content)))
  const hungry = sequence(
    integer(3),
    data(sequence()),
    sequence(
      sequence(sequence(oid('1.3.14.3.2.26')), octetString(new Uint8Array(20))),
      octetString(new Uint8Array(8)),
      integer(2 ** 31),
    ),
  )
  const bag = sequence(oid('1.2.840.113549.1.12.10.1.6'), der(0xa0, sequence()))
  const bags = sequence(integer(3), data(sequence(data(sequence(...Array.from({ length: 201 }, () => bag))))))
  const nested = Array.from({ length: 6 }).reduce<Uint8Array>(
    (inner) => sequence(sequence(oid('1.2.840.113549.1.12.10.1.6'), der(0xa0, inner))),
    sequence(),
  )
  const deep = sequence(integer(3), data(sequence(data(nested))))
  const cases: readonly [bytes: Uint8Array, password: string, error: RegExp, why: string][] = [
    [file, 'wrong', /password is wrong/, 'a wrong password'],
    [file, '', /password is wrong/, 'no password'],
    [new Uint8Array(), '', /unexpected end/, 'nothing'],
    [own, '', /version/, 'a certificate'],
    [sequence(integer(2), data(sequence())), '', /version 3/, 'another version'],
    [hungry, '', /too many iterations/, 'more iterations than anybody waits for'],
    [bags, '', /too many bags/, 'more bags than anybody has'],
    [deep, '', /nested too deeply/, 'safes in safes in safes'],
    [new Uint8Array(5 * 2 ** 20), '', /too large/, 'larger than the limit'],
  ]
  for (const [bytes, password, error, why] of cases)
    test(why, () => {
      const read = readPkcs12(bytes, password)
      assert.ok(!read.ok)
      assert.match(read.error, error)
    })
  test('every octet that is changed, and every end that is cut off', () => {
    const good = RC2_40_AND_3DES
    for (let at = 0; at < good.length; at++) {
      const changed = new Uint8Array(good)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      assert.ok(!readPkcs12(changed, 'sesame', { iterationsMax: 1000 }).ok, `octet ${at}`)
      assert.ok(!readPkcs12(good.subarray(0, at), 'sesame').ok)
    }
  })
})
