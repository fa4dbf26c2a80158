/**
 * OpenPGP messages of other programs, put into mails (RFC 3156) and opened with everybody's keys: all that can be read is read, and
 * all that their makers have broken is refused or not believed.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import type { Opened, SignerFinding } from '../../src/protection/standard.ts'
import { CORPORA } from '../support/corpora.ts'
import { openAsMail, readKeys, ringOf } from '../support/openpgp-corpora.ts'

const skip = existsSync(CORPORA) ? false : 'no corpora'
const AT_MS = Date.UTC(2026, 0, 1)

describe('messages with an expected text (rPGP)', { skip }, () => {
  const folder = 'rpgp/tests/openpgp-interop/testcases/messages/'
  interface Expected {
    readonly decryptKey: string
    readonly verifyKey?: string
    readonly passphrase: string
    readonly textcontent: string
  }

  test('all of them open', (t) => {
    const names = globSync('*.json', { cwd: join(CORPORA, folder) }).map((name) => name.replace('.json', ''))
    const unopened: string[] = []
    let signed = 0
    for (const name of names) {
      const wanted = JSON.parse(readFileSync(join(CORPORA, folder, `${name}.json`), 'utf8')) as Expected
      const key = wanted.decryptKey.endsWith('bob.sec.asc')
        ? 'openpgp-interop/data/certificates/bob-secret.pgp'
        : folder + wanted.decryptKey
      const verify = wanted.verifyKey === undefined ? [] : readKeys(folder + wanted.verifyKey)
      const ring = { ...ringOf([...readKeys(key, wanted.passphrase), ...verify]), allowWeak: true }
      const opened = openAsMail(readFileSync(join(CORPORA, folder, `${name}.asc`)), ring)
      if (opened.kind !== 'decrypted') unopened.push(name)
      else {
        // a text without a header is given one, and the line ends of mail
        const shown = Buffer.from(opened.inner.raw).toString().replaceAll('\r\n', '\n')
        assert.ok(shown.endsWith(wanted.textcontent.replaceAll('\r\n', '\n')), `${name}: ${shown}`)
        const isSigned = opened.signers?.every(({ intact }) => intact) ?? false
        assert.equal(isSigned, wanted.verifyKey !== undefined, name)
        if (isSigned) signed++
      }
    }
    t.diagnostic(`rPGP: ${names.length - unopened.length} of ${names.length} messages, ${signed} of them signed`)
    assert.equal(names.length, 39)
    assert.deepEqual(unopened, [])
  })
})

/** Where keys are, and the password that their makers gave them. */
const KEYS: readonly [pattern: string, password?: string][] = [
  ['rnp/src/tests/data/keyrings/1/*ring.gpg', 'password'],
  ['rnp/src/tests/data/test_key_validity/*', 'password'],
  ['rnp/src/tests/data/test_key_edge_cases/*', 'password'],
  ['rnp/src/tests/data/test_stream_key_load/*', 'password'],
  ['rnp/src/tests/data/test_messages/*.asc', 'password'],
  ['rnp/src/tests/data/RFC9580/*'],
  ['openpgp-pqc/test-vectors/*'],
  ['rpgp/tests/*', 'test'],
  ['rpgp/tests/unit-tests/**/*'],
  ['go-crypto/**/*'],
  ['gopenpgp/crypto/testdata/*'],
  ['pgpainless/assets/**/*'],
  ['openpgp-interop/data/certificates/*'],
  ['gnupg/tests/openpgp/samplekeys/*', 'abc'],
  ['gnupg/tests/openpgp/*.asc'],
]

const FOLDERS = [
  'rnp/src/tests/data/test_messages/*',
  'rnp/src/tests/data/RFC9580/*',
  'openpgp-pqc/test-vectors/*',
  'rpgp/tests/*',
  'rpgp/tests/unit-tests/{aead,hsm,padding}/*',
  'rpgp/tests/unit-tests/*',
  'go-crypto/**/*',
  'gopenpgp/crypto/testdata/*',
  'pgpainless/assets/test_vectors/messages/*',
  'openpgp-interop/data/messages/*',
  'gnupg/tests/openpgp/samplemsgs/*',
]

/** What becomes of each; the names tell what their makers did. */
const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  decrypted: [
    'gnupg/tests/openpgp/samplemsgs/enc-sym-cfb-1.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-sym-cfb-2.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-sym-ocb-1.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-sym-ocb-2.asc',
    'go-crypto/openpgp/test_data/aead-ocb-asym-message.asc',
    'openpgp-interop/data/messages/7C2FAA4DF93C37B2.IDEA.pgp',
    'openpgp-interop/data/messages/alice-kdf-subkey.pgp',
    'rnp/src/tests/data/RFC9580/A.10.5.v6_skesk_ocb.asc',
    'rnp/src/tests/data/RFC9580/A.8.5-v6pkesk-v2seipd',
    'rnp/src/tests/data/RFC9580/A.9.5.v6_skesk_eax.asc',
    'rnp/src/tests/data/test_messages/data.enc.small-rsa',
    'rnp/src/tests/data/test_messages/message-encrypted-rsas.txt.pgp',
    'rnp/src/tests/data/test_messages/message.aead-last-zero-chunk.enc',
    'rnp/src/tests/data/test_messages/message.aead-last-zero-chunk.enc-ocb',
    'rnp/src/tests/data/test_messages/message.aead-windows-issue',
    'rnp/src/tests/data/test_messages/message.aead-windows-issue2',
    'rnp/src/tests/data/test_messages/message.enc-password',
    'rnp/src/tests/data/test_messages/message.txt.enc-3key-2p',
    'rnp/src/tests/data/test_messages/message.txt.enc-aead-eax',
    'rnp/src/tests/data/test_messages/message.txt.enc-aead-ocb-aes',
    'rnp/src/tests/data/test_messages/message.txt.enc-eg-bad',
    'rnp/src/tests/data/test_messages/message.txt.enc-eg-bad2',
    'rnp/src/tests/data/test_messages/message.txt.enc-hidden-1',
    'rnp/src/tests/data/test_messages/message.txt.enc-hidden-2',
    'rnp/src/tests/data/test_messages/message.txt.enc-mdc',
    'rnp/src/tests/data/test_messages/message.txt.pkesk-skesk-v10',
    'rpgp/tests/sym-password.msg',
    'rpgp/tests/unit-tests/aead/eax.msg',
    'rpgp/tests/unit-tests/aead/gcm.msg',
    'rpgp/tests/unit-tests/aead/ocb.msg',
    'rpgp/tests/unit-tests/hsm/msg-to-alice4096.enc',
    'rpgp/tests/unit-tests/hsm/msg-to-bob25519.enc',
    'rpgp/tests/unit-tests/padding/msg-long-padding.pgp',
    'rpgp/tests/unit-tests/padding/msg-short-padding.pgp',
    'rpgp/tests/unit-tests/padding/rpgp-0-10.enc.asc',
    'rpgp/tests/unit-tests/padding/rpgp-current.enc.asc',
    'rpgp/tests/wildcard.msg',
  ],
  'decrypted and signed: DSA is too weak': [
    'rnp/src/tests/data/test_messages/message_mdc_8k_1.pgp',
    'rnp/src/tests/data/test_messages/message_mdc_8k_2.pgp',
  ],
  'decrypted and signed: an RSA key of 1024 bits is too weak': [
    'rnp/src/tests/data/test_messages/message.txt.marker',
    'rnp/src/tests/data/test_messages/message.txt.marker.asc',
    'rnp/src/tests/data/test_messages/message.txt.marker.malf',
    'rnp/src/tests/data/test_messages/message.txt.signed-encrypted',
    'rnp/src/tests/data/test_messages/message.txt.signed-sym-none-z',
  ],
  'decrypted and signed: good': [
    'go-crypto/openpgp/test_data/pqc/v4-eddsa-sample-message-v1.asc',
    'go-crypto/openpgp/test_data/pqc/v4-eddsa-sample-message-v2.asc',
    'go-crypto/openpgp/test_data/pqc/v6-mldsa-65-sample-message.asc',
    'openpgp-pqc/test-vectors/v4-eddsa-sample-message-v1.asc',
    'openpgp-pqc/test-vectors/v4-eddsa-sample-message-v2.asc',
    'openpgp-pqc/test-vectors/v6-eddsa-sample-message.asc',
    'openpgp-pqc/test-vectors/v6-mldsa-65-sample-message.asc',
    'openpgp-pqc/test-vectors/v6-mldsa-87-sample-message.asc',
    'openpgp-pqc/test-vectors/v6-slhdsa-128s-sample-message.asc',
    'pgpainless/assets/test_vectors/messages/test_message_01.asc',
    'rnp/src/tests/data/test_messages/message.txt.enc-sign-25519',
  ],
  'decrypted and signed: good, a signature of version 23 is not supported': ['rpgp/tests/message_future_signature.asc'],
  'decrypted and signed: the signature is not the one that was announced': ['rpgp/tests/message_other_pub_algo.asc'],
  'decrypted and signed: unknown hash algorithm': ['rpgp/tests/message_other_hash.asc'],
  'no-key': [
    'gnupg/tests/openpgp/samplemsgs/enc-1-key-1.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-1-key-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/enc-1-key-2.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-1-key-2.gpg',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-1.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-2.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-2.gpg',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-hh-1.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-hr-1.asc',
    'gnupg/tests/openpgp/samplemsgs/enc-2-keys-rh-1.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-2-keys-3.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-2-keys-3.gpg',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-2-keys-4.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-2-keys-4.gpg',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-1.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-2.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-2.gpg',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-3.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-3.gpg',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-4.asc',
    'gnupg/tests/openpgp/samplemsgs/encsig-2-keys-4.gpg',
    'gnupg/tests/openpgp/samplemsgs/encz0-1-key-1.asc',
    'gnupg/tests/openpgp/samplemsgs/encz0-1-key-2.asc',
    'gnupg/tests/openpgp/samplemsgs/pqc-sample-1.enc.asc',
    'gnupg/tests/openpgp/samplemsgs/pqc-sample-2.enc.asc',
    'gnupg/tests/openpgp/samplemsgs/pqc-sample-3.enc.asc',
    'gnupg/tests/openpgp/samplemsgs/pqc-sample-4.enc.asc',
    'gnupg/tests/openpgp/samplemsgs/pqc-sample-5.enc.asc',
    'go-crypto/openpgp/test_data/sym-corrupted-message-invalid-sig-header.asc',
    'go-crypto/openpgp/test_data/sym-corrupted-message-long-length.asc',
    'gopenpgp/crypto/testdata/gpg2.3-aead-pgp-message.pgp',
    'gopenpgp/crypto/testdata/issue11_message',
    'gopenpgp/crypto/testdata/keyring_token',
    'gopenpgp/crypto/testdata/message_mixedPasswordPublic',
    'gopenpgp/crypto/testdata/message_multipleKeyID',
    'gopenpgp/crypto/testdata/message_sha1_signed',
    'gopenpgp/crypto/testdata/message_sha256_signed',
    'gopenpgp/crypto/testdata/message_signed',
    'rnp/src/tests/data/test_messages/message.compr-encr.31-rounds',
    'rnp/src/tests/data/test_messages/message.compr-encr.32-rounds',
    'rnp/src/tests/data/test_messages/message.txt.enc-signed-sm2',
    'rnp/src/tests/data/test_messages/message.txt.enc-sm2',
    'rnp/src/tests/data/test_messages/message.txt.pkesk-skesk-v10-only',
    'rpgp/tests/binary_password.pgp',
    'rpgp/tests/indeterminate.asc',
    'rpgp/tests/message_pqc.asc',
    'rpgp/tests/partial.asc',
    'rpgp/tests/regression-01.asc',
  ],
  'not-a-layer': ['rpgp/tests/unit-tests/polyglot.armor'],
  refused: [
    'go-crypto/openpgp/test_data/sym-message-without-mdc.asc',
    'gopenpgp/crypto/testdata/message_badmdc',
    'gopenpgp/crypto/testdata/message_plainSignature',
    'gopenpgp/crypto/testdata/sed_message',
    'openpgp-interop/data/messages/alice-kdf-primary.pgp',
    'rnp/src/tests/data/test_messages/cleartext.rnp-aead-eax',
    'rnp/src/tests/data/test_messages/message.compr.128-rounds',
    'rnp/src/tests/data/test_messages/message.txt.armor-hdrs',
    'rnp/src/tests/data/test_messages/message.txt.armor-wr-trail',
    'rnp/src/tests/data/test_messages/message.txt.enc-aead-eax-malf',
    'rnp/src/tests/data/test_messages/message.txt.enc-aead-ocb',
    'rnp/src/tests/data/test_messages/message.txt.enc-aead-ocb-malf',
    'rnp/src/tests/data/test_messages/message.txt.enc-malf-1',
    'rnp/src/tests/data/test_messages/message.txt.enc-malf-2',
    'rnp/src/tests/data/test_messages/message.txt.enc-malf-3',
    'rnp/src/tests/data/test_messages/message.txt.enc-malf-4',
    'rnp/src/tests/data/test_messages/message.txt.enc-malf-5',
    'rnp/src/tests/data/test_messages/message.txt.enc-no-mdc',
    'rnp/src/tests/data/test_messages/message.txt.enc-wrong-alg',
    'rnp/src/tests/data/test_messages/message.txt.encrypted',
    'rnp/src/tests/data/test_messages/message.txt.signed-2-onepass',
    'rnp/src/tests/data/test_messages/message.txt.signed.nosig',
    'rnp/src/tests/data/test_messages/message.zlib-quine',
    'rnp/src/tests/data/test_messages/message_mdc_8k_cut1.pgp',
    'rnp/src/tests/data/test_messages/message_mdc_8k_cut22.pgp',
    'rpgp/tests/literal_eating_mdc.asc',
    'rpgp/tests/multi_message_1.asc',
    'rpgp/tests/partial_invalid_short_last.asc',
    'rpgp/tests/partial_invalid_two_fixed.asc',
    'rpgp/tests/partial_invalid_two_fixed_empty.asc',
    'rpgp/tests/two_literals_first_compressed.asc',
    'rpgp/tests/two_literals_first_compressed_two_times.asc',
    'rpgp/tests/two_messages.asc',
    'rpgp/tests/two_signed.asc',
  ],
  'signed: a critical notation that is not known': [
    'rnp/src/tests/data/test_messages/message.txt.signed.crit-notation',
  ],
  'signed: a signature of version 10 is not supported, good': [
    'rnp/src/tests/data/test_messages/message.txt.signed-2-2-sig-v10',
  ],
  'signed: a signature of version 5 is not supported': ['rnp/src/tests/data/test_messages/message.txt.signed.v5-rsa'],
  'signed: a signature of version 7 is not supported': ['rnp/src/tests/data/test_messages/message.txt.signed.malfsig'],
  'signed: an RSA key of 1024 bits is too weak': [
    'rnp/src/tests/data/test_messages/message-32k-crlf.txt.gpg',
    'rnp/src/tests/data/test_messages/message.txt.empty.sig',
    'rnp/src/tests/data/test_messages/message.txt.signed',
    'rnp/src/tests/data/test_messages/message.txt.signed-no-z',
  ],
  'signed: good': [
    'gnupg/tests/openpgp/samplemsgs/signed-1-key-1.asc',
    'gnupg/tests/openpgp/samplemsgs/signed-1-key-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/signed-1-key-2.asc',
    'gnupg/tests/openpgp/samplemsgs/signed-1-key-2.gpg',
    'gnupg/tests/openpgp/samplemsgs/signedz0-1-key-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/signedz0-1-key-2.gpg',
    'rnp/src/tests/data/RFC9580/A.7.-sample-inline-signed-message.asc',
    'rnp/src/tests/data/test_messages/eddsa-zero-r.txt.sig',
    'rnp/src/tests/data/test_messages/eddsa-zero-s.txt.sig',
    'rnp/src/tests/data/test_messages/message.txt.sign-small-eddsa-x',
    'rnp/src/tests/data/test_messages/message.txt.signed-expired-key',
    'rnp/src/tests/data/test_messages/message.txt.signed-expired-sub',
    'rnp/src/tests/data/test_messages/message.txt.signed-wrong-onepass',
    'rpgp/tests/literal-text-signed.asc',
    'rpgp/tests/unit-tests/text_signature_normalization.msg',
  ],
  'signed: good, a signature of version 10 is not supported': [
    'rnp/src/tests/data/test_messages/message.txt.signed-2-2-sig-v10-2',
  ],
  'signed: good, good': [
    'gnupg/tests/openpgp/samplemsgs/signed-2-keys-1.asc',
    'gnupg/tests/openpgp/samplemsgs/signed-2-keys-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/signed-2-keys-2.asc',
    'gnupg/tests/openpgp/samplemsgs/signed-2-keys-2.gpg',
    'gnupg/tests/openpgp/samplemsgs/signedz0-2-keys-1.gpg',
    'gnupg/tests/openpgp/samplemsgs/signedz0-2-keys-2.gpg',
    'rnp/src/tests/data/test_messages/message.txt.signed-2-2-onepass',
  ],
  'signed: good, the signature is not the one that was announced': [
    'rnp/src/tests/data/test_messages/message.txt.signed-2-2-onepass-v10',
  ],
  'signed: md5 is too weak': [
    'rnp/src/tests/data/test_messages/message.txt.signed-md5-after',
    'rnp/src/tests/data/test_messages/message.txt.signed-md5-before',
    'rnp/src/tests/data/test_messages/message.txt.signed.md5',
  ],
  'signed: sha1 is too weak': [
    'rnp/src/tests/data/test_messages/message.txt.signed-sha1-after',
    'rnp/src/tests/data/test_messages/message.txt.signed-sha1-before',
    'rnp/src/tests/data/test_messages/message.txt.signed.sha1',
    'rnp/src/tests/data/test_messages/shattered-2.pdf.gpg',
  ],
  'signed: the key is not for signing': ['rnp/src/tests/data/test_messages/message-signed-rsae.txt.pgp'],
  'signed: the signature does not match': ['rnp/src/tests/data/test_messages/message.txt.signed.invsig'],
  'signed: the signature is not one of a message': ['rnp/src/tests/data/test_messages/message.txt.signed-class19'],
  'signed: the signature is not the one that was announced': [
    'rnp/src/tests/data/test_messages/message.txt.signed-no-z-malf',
    'rnp/src/tests/data/test_messages/message.txt.signed-unknown-onepass-hash',
    'rnp/src/tests/data/test_messages/message.txt.signed-wrong-onepass-hash',
  ],
  "signed: the signer's certificate is neither known nor sent": [
    'gopenpgp/crypto/testdata/message_expired',
    'rnp/src/tests/data/test_messages/future.pgp',
    'rnp/src/tests/data/test_messages/message.txt.signed-dsa4096',
    'rnp/src/tests/data/test_messages/message.txt.signed-mimemode',
    'rnp/src/tests/data/test_messages/message.txt.signed-sm2',
    'rnp/src/tests/data/test_messages/message.txt.signed.unknown',
  ],
}

test('messages of seven projects, each as it deserves', { skip }, (t) => {
  const keys = KEYS.flatMap(([pattern, password]) => readKeys(pattern, password))
  const ring = ringOf(keys, ['password'])
  const found: Record<string, string> = {}
  for (const file of FOLDERS.flatMap((pattern) => globSync(pattern, { cwd: CORPORA })).filter(isMessage))
    found[file] = told(openAsMail(readFileSync(join(CORPORA, file)), ring))
  const counts = Map.groupBy(Object.values(found), (outcome) => outcome.split(':')[0] ?? '')
  t.diagnostic([...counts].map(([outcome, each]) => `${each.length} ${outcome}`).join(', '))
  const expected = Object.entries(OUTCOMES).flatMap(([outcome, names]) => names.map((name) => [name, outcome]))
  assert.deepEqual(found, Object.fromEntries(expected))

  function told(opened: Opened): string {
    const signers = 'signers' in opened ? opened.signers : undefined
    const signatures = (signers ?? []).map(toldSigner).join(', ')
    switch (opened.kind) {
      case 'decrypted':
        return signers === undefined ? 'decrypted' : `decrypted and signed: ${signatures}`
      case 'signed':
        return `signed: ${signatures}`
      case 'broken':
        return 'refused'
      case 'no-key':
      case 'not-a-layer':
      case 'decompressed':
        return opened.kind
    }
  }

  function toldSigner(finding: SignerFinding): string {
    if (!finding.intact || finding.certificate === undefined) return finding.why ?? 'wrong'
    const judged = openpgp.judge(finding.certificate, finding, ring, AT_MS)
    return judged.trusted ? 'good' : judged.why
  }
})

const MESSAGE_BYTES_MAX = 2 * 2 ** 20

function isMessage(file: string): boolean {
  const path = join(CORPORA, file)
  const facts = statSync(path)
  if (!facts.isFile() || facts.size > MESSAGE_BYTES_MAX || /argon2|skesk-argon2/.test(file)) return false
  const content = readFileSync(path)
  const text = content.toString('latin1')
  if (/-----BEGIN PGP (?:PUBLIC|PRIVATE|SIGNATURE|SIGNED)/.test(text)) return false
  return text.includes('-----BEGIN PGP MESSAGE') || MESSAGE_STARTS.has(content[0])
}

/** Binary messages; signatures alone and keys are tested elsewhere. */
const MESSAGE_STARTS: ReadonlySet<number | undefined> = new Set([
  0x84, 0x85, 0x8c, 0x90, 0xa0, 0xa1, 0xa3, 0xa8, 0xc1, 0xc3, 0xc4, 0xc8, 0xca, 0xcb, 0xd2,
])
