/** Secret keys that others have made: opened, and each half proven to belong to the other. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  type TransferableKey,
  readTransferableKeys,
  writeTransferableSecretKey,
} from '../../src/protection/openpgp/certificate/transferable.ts'
import { CORPORA } from '../support/corpora.ts'

const INTEROP = 'openpgp-interop/data/certificates'
const EDGES = 'rnp/src/tests/data/test_key_edge_cases'
const PQC = 'openpgp-pqc/test-vectors'
const PGPAINLESS = 'pgpainless/pgpainless-core/src/test/resources'

/** How many keys are in the file, how many of their secret halves are open, and how many locked. */
const cases: readonly [file: string, counts: readonly [keys: number, open: number, locked: number], why?: string][] = [
  [`${INTEROP}/alice-secret.pgp`, [1, 2, 0]],
  [`${INTEROP}/bob-secret.pgp`, [1, 2, 0]],
  [`${INTEROP}/carol-secret.pgp`, [1, 2, 0], 'DSA and Elgamal'],
  [`${INTEROP}/ricarda-secret.pgp`, [1, 3, 0]],
  ['autocrypt/doc/appendix/bob@autocrypt.example.sec.asc', [1, 2, 0]],
  [`${PQC}/v4-eddsa-sample-sk.asc`, [1, 2, 0]],
  [`${PQC}/v6-eddsa-sample-sk.asc`, [1, 2, 0]],
  [`${PQC}/v6-mldsa-65-sample-sk.asc`, [1, 2, 0]],
  [`${PQC}/v6-mldsa-87-sample-sk.asc`, [1, 2, 0]],
  [`${PQC}/v6-slhdsa-128s-sample-sk.asc`, [1, 2, 0]],
  [`${PQC}/v6-slhdsa-128f-sample-sk.asc`, [1, 2, 0]],
  [`${PQC}/v6-slhdsa-256s-sample-sk.asc`, [1, 2, 0]],
  [
    `${EDGES}/key-25519-non-tweaked-sec-prot.asc`,
    [1, 2, 0],
    'under a password; bits that the curve ignores are not set',
  ],
  [`${EDGES}/key-eddsa-small-x-sec.asc`, [1, 2, 0], 'a secret number with leading zeros'],
  [`${EDGES}/key-eg-4096-sec.pgp`, [1, 2, 0], 'DSA and Elgamal under a password'],
  [`${EDGES}/alice-s2k-101-1-subs.pgp`, [1, 2, 0], 'the primary key is somewhere else'],
  [`${EDGES}/alice-s2k-101-2-card.pgp`, [1, 2, 0], 'the primary key is on a card'],
  [`${EDGES}/alice-s2k-101-unknown.pgp`, [1, 2, 1], 'protected in a way that nobody knows'],
  [`${PGPAINLESS}/10_prv_keys_binary.key`, [10, 0, 20], 'ten keys under another password'],
  [
    `${PGPAINLESS}/10_prv_and_pub_keys_armored_own_header.asc`,
    [7, 0, 12],
    'three of them twice, one without its secrets',
  ],
  ['gopenpgp/crypto/testdata/keyring_userKey', [1, 2, 0]],
]

describe('OpenPGP secret keys of others', { skip: !existsSync(CORPORA) && 'no corpora' }, () => {
  for (const [file, counts, why] of cases)
    test(`${file}${why === undefined ? '' : `: ${why}`}`, () => {
      const read = readTransferableKeys(readFileSync(join(CORPORA, file)), 'password')
      assert.ok(read.ok, read.ok ? '' : read.error)
      const sum = (of: (key: TransferableKey) => number): number =>
        read.value.reduce((total, key) => total + of(key), 0)
      assert.deepEqual([read.value.length, sum(({ subkeys }) => subkeys.length), sum(({ locked }) => locked)], counts)
      for (const { certificate, subkeys } of read.value.slice(0, 1)) {
        const again = readTransferableKeys(writeTransferableSecretKey(certificate, subkeys))
        assert.deepEqual(again.ok && again.value[0]?.subkeys.length, subkeys.length)
      }
    })

  test('a key of version 3 is refused with its reason', () => {
    const read = readTransferableKeys(readFileSync(join(CORPORA, `${INTEROP}/john-secret.pgp`)))
    assert.match(read.ok ? 'read' : read.error, /version 3/)
  })
})
