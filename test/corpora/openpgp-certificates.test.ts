/**
 * OpenPGP certificates of other programs and their test suites: each can be read, or there is a reason; forged ones, expired ones
 * and revoked ones are what RNP, rPGP and Sequoia say they are.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { OpenpgpCertificate } from '../../src/protection/openpgp/certificate/certificate.ts'
import { FEATURE, preferencesAt } from '../../src/protection/openpgp/certificate/preferences.ts'
import { componentStateAt, signingComponent } from '../../src/protection/openpgp/certificate/state.ts'
import { readTransferableKeys } from '../../src/protection/openpgp/certificate/transferable.ts'
import { unarmored } from '../../src/protection/openpgp/armor.ts'
import { PACKET, readPackets } from '../../src/protection/openpgp/packets/packet.ts'
import { readSignature } from '../../src/protection/openpgp/signatures/signature-packet.ts'
import { CORPORA } from '../support/corpora.ts'

const AT_MS = Date.UTC(2026, 0, 1)
const FILE_BYTES_MAX = 2 * 2 ** 20
const skip = existsSync(CORPORA) ? false : 'no corpora'

const RNP = 'rnp/src/tests/data/'
const FOLDERS = [
  'autocrypt',
  'bc-test-data',
  'chatmail-core',
  'gnupg',
  'go-crypto',
  'gopenpgp',
  'openpgp-interop',
  'openpgp-pqc',
  'pgpainless',
  'rnp',
  'rpgp',
]

/** Files in which there is no certificate that can be read, and why. */
const UNREAD: Readonly<Record<string, readonly string[]>> = {
  'a signature alone': [
    `${RNP}test_key_validity/alice-rev.pgp`,
    'gnupg/tests/openpgp/samplemsgs/revoke-2D727CC768697734.asc',
    'openpgp-interop/data/certificates/alice-revocation.pgp',
    'openpgp-interop/data/certificates/bob-revocation.pgp',
  ],
  'a key of version 3 or 5': [
    'gnupg/tests/openpgp/pgp263-test.pub.asc',
    'gnupg/tests/openpgp/samplekeys/v5-sample-1-pub.asc',
    'gnupg/tests/openpgp/samplekeys/v5-sample-1-sec.asc',
    'openpgp-interop/data/certificates/john-secret.pgp',
    'openpgp-interop/data/certificates/john.pgp',
  ],
  'a key that is too large': [
    'bc-test-data/openpgp/dsa/keys/DSA-15360-512.pub',
    'bc-test-data/openpgp/dsa/keys/DSA-15360-512.sec',
    'bc-test-data/openpgp/dsa/keys/DSA-7680-384.pub',
    'bc-test-data/openpgp/dsa/keys/DSA-7680-384.sec',
    'openpgp-interop/data/rsa-keys/16k.pgp',
    'openpgp-interop/data/rsa-keys/32k.pgp',
  ],
  'a point that is not on its curve': [`${RNP}test_forged_keys/ecc-p256-pub-forged-material.pgp`],
  'a secret key whose checksum is wrong': [`${RNP}test_key_edge_cases/key-25519-tweaked-wrong-crc.asc`],
  'made to crash its reader': [
    `${RNP}test_fuzz_dump/outofmemory-6111789935624192`,
    `${RNP}test_fuzz_dump/timeout-6057122298462208`,
    `${RNP}test_fuzz_keyimport/crash_25f06f13b48d58a5faf6c36fae7fcbd958359199`,
    `${RNP}test_fuzz_keyimport/crash_37e8ed57ee47c1991b387fa0506f361f9cd9c663`,
    `${RNP}test_fuzz_keyimport/timeout-9c10372fe9ebdcdb0b6e275d05f8af4f4e3d6051`,
    `${RNP}test_fuzz_keyimport/timeout_9c10372fe9ebdcdb0b6e275d05f8af4f4e3d6051`,
    `${RNP}test_fuzz_keyring/leak-5ee77f7ae99d7815d069afe037c42f4887193215`,
    `${RNP}test_fuzz_keyring/timeout-6140201111519232`,
    `${RNP}test_fuzz_sigimport/timeout-821848a7b6b667fc41e5ff130415b3efd22ed118`,
    `${RNP}test_key_edge_cases/key-empty-packets.pgp`,
  ],
  'no packets, but what rPGP writes of them': ['rpgp/tests/unit-tests/signed_public_key_details_write_len_expect.asc'],
}

test('every file with a certificate or a key is read, or there is a reason', { skip }, (t) => {
  const unread: string[] = []
  let files = 0
  let certificates = 0
  let withAead = 0
  for (const file of FOLDERS.flatMap((folder) => globSync(`${folder}/**/*`, { cwd: CORPORA })).filter(hasKey)) {
    const found = certificatesIn(readFileSync(join(CORPORA, file)))
    files++
    if (found.length === 0) unread.push(file)
    else {
      certificates += found.length
      withAead += found.filter((each) => (preferencesAt(each, AT_MS).features & FEATURE.SEIPD2) !== 0).length
    }
  }
  t.diagnostic(
    `OpenPGP: ${certificates} certificates in ${files - unread.length} of ${files} files, ${withAead} ask for SEIPD 2`,
  )
  assert.ok(files > 400, `only ${files} files`)
  assert.ok(withAead > 20, 'RFC 9580 has come to be used')
  assert.deepEqual(unread.toSorted(), Object.values(UNREAD).flat().toSorted())
})

function certificatesIn(file: Uint8Array): readonly OpenpgpCertificate[] {
  const keys = readTransferableKeys(file)
  return keys.ok ? keys.value.map(({ certificate }) => certificate) : []
}

const KEY_STARTS: ReadonlySet<number | undefined> = new Set([0x94, 0x95, 0x98, 0x99, 0xc5, 0xc6])

function hasKey(file: string): boolean {
  const path = join(CORPORA, file)
  const facts = statSync(path)
  if (!facts.isFile() || facts.size > FILE_BYTES_MAX) return false
  const content = readFileSync(path)
  return KEY_STARTS.has(content[0]) || /-----BEGIN PGP (?:PUBLIC|PRIVATE) KEY/.test(content.toString('latin1'))
}

/** The keys of each certificate in a file, in their order: `valid`, or why not; `-` between certificates. */
const statesIn = (file: string): string =>
  certificatesIn(readFileSync(join(CORPORA, file)))
    .map((certificate) =>
      certificate.components
        .map((component) => {
          const state = componentStateAt(certificate, component, AT_MS)
          return state.valid ? 'valid' : state.verdict
        })
        .join(' '),
    )
    .join(' - ')

describe('forged, unfinished and expired certificates (RNP)', { skip }, () => {
  const cases: readonly [file: string, states: string, why?: string][] = [
    ['dsa-eg-pub', 'valid valid'],
    ['dsa-eg-pub-forged-key', 'untrusted'],
    ['dsa-eg-pub-forged-material', 'untrusted'],
    ['dsa-eg-pub-forged-subkey', 'valid'],
    ['ecc-25519-pub', 'valid'],
    ['ecc-25519-pub-forged-key', 'untrusted'],
    ['ecc-25519-pub-forged-material', 'untrusted'],
    ['ecc-25519-pub-future-cert-malf-bind', 'valid'],
    ['ecc-25519-pub-future-cert', 'valid valid'],
    ['ecc-p256-pub', 'valid valid'],
    ['ecc-p256-pub-expired-key', 'expired expired'],
    ['ecc-p256-pub-expired-subkey', 'valid expired'],
    ['ecc-p256-pub-forged-key', 'untrusted untrusted'],
    ['ecc-p256-pub-forged-subkey', 'valid'],
    ['ecc-p256-pub-no-binding', 'valid'],
    ['ecc-p256-pub-no-cert-malf-binding', 'untrusted'],
    ['ecc-p256-pub-no-certification', 'untrusted untrusted'],
    ['eddsa-2012-md5-pub', 'untrusted', 'MD5 binds nothing, whenever it was'],
    ['eddsa-2024-pub', 'untrusted', 'SHA-1 binds nothing any more'],
    ['rsa-rsa-pub', 'valid valid'],
    ['rsa-rsa-pub-forged-key', 'untrusted untrusted'],
    ['rsa-rsa-pub-forged-material', 'untrusted'],
    ['rsa-rsa-pub-forged-subkey', 'valid'],
    ['rsa-rsa-pub-future-key', 'expired', 'not valid yet'],
  ]
  for (const [file, states, why] of cases)
    test(why === undefined ? file : `${file}: ${why}`, () =>
      assert.equal(statesIn(`${RNP}test_forged_keys/${file}.pgp`), states),
    )
})

describe('whose signatures make a certificate valid (the fifteen cases of RNP)', { skip }, () => {
  const cases: readonly [states: string, otherwise?: string][] = [
    ['valid'],
    ['untrusted - valid'],
    ['untrusted - valid'],
    ['valid'],
    ['valid - valid'],
    ['revoked revoked'],
    ['valid revoked'],
    ['untrusted untrusted', 'a certificate without any name that its owner has signed speaks for nobody'],
    ['expired expired', 'both self-signatures are of one second, and the first says that the key has expired'],
    ['expired expired'],
    ['expired expired'],
    ['valid valid', 'the direct-key signature is newer than what makes the primary user id expire'],
    ['expired expired'],
    ['expired expired'],
    ['valid expired'],
  ]
  for (const [at, [states, otherwise]] of cases.entries())
    test(otherwise === undefined ? `${at + 1}` : `${at + 1}, where RNP says otherwise: ${otherwise}`, () =>
      assert.equal(statesIn(`${RNP}test_key_validity/case${at + 1}/pubring.gpg`), states),
    )
})

describe('keys as other programs import them (rPGP)', { skip }, () => {
  interface Import {
    readonly expected_uids: readonly string[]
    readonly expected_fingerprint: string
    readonly expected_subkeys: readonly { readonly expected_fingerprint: string }[]
  }
  const folder = join(CORPORA, 'rpgp/tests/openpgp-interop/testcases/keys')
  const names = skip === false ? globSync('*.json', { cwd: folder }) : []
  for (const name of names)
    test(name, () => {
      const wanted = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Import
      const [found] = certificatesIn(readFileSync(join(folder, name.replace('.json', '.asc'))))
      assert.equal(found?.fingerprint, wanted.expected_fingerprint)
      assert.deepEqual(found.userIds.map(({ text }) => text).toSorted(), wanted.expected_uids.toSorted())
      const unrevoked = found.components.slice(1).filter(({ revocations }) => revocations.length === 0)
      assert.deepEqual(
        unrevoked.map(({ packet }) => packet.fingerprint),
        wanted.expected_subkeys.map((each) => each.expected_fingerprint),
      )
    })
})

describe('a key that was revoked, and later bound again (Sequoia)', { skip }, () => {
  const folder = join(CORPORA, 'openpgp-interop/data/revoked-key')
  /** Before the key was made; in use; while it was revoked; after it was bound again, which changes nothing here or in gpg. */
  const times = ['t0', 't1-t2', 't2-t3', 't3-now']
  const soft = ['superseded', 'key_retired', 'uid_retired']
  const hard = ['compromised', 'unspecified', 'no_subpacket', 'private', 'unknown']
  const cases = [
    ['not-revoked', 'no yes yes yes'] as const,
    ...soft.map((reason) => [`revoked-${reason}`, 'no yes no no'] as const),
    ...hard.map((reason) => [`revoked-${reason}`, 'no no no no'] as const),
  ]
  for (const [name, expected] of cases)
    for (const end of name === 'not-revoked' ? ['.pgp'] : ['.pgp', '.sk.pgp'])
      test(`${name}${end}`, () => {
        const [certificate] = certificatesIn(readFileSync(join(folder, `revoked-key-cert-${name}${end}`)))
        assert.ok(certificate)
        const found = times.map((time) => {
          const [packet] = readPackets(unarmored(readFileSync(join(folder, `revoked-key-sig-${time}${end}`))))
          assert.equal(packet?.type, PACKET.SIGNATURE)
          const { issuerFingerprint = '', createdMs = 0 } = readSignature(packet.body)
          return signingComponent(certificate, issuerFingerprint, createdMs)?.state.valid === true ? 'yes' : 'no'
        })
        assert.equal(found.join(' '), expected)
      })
})
