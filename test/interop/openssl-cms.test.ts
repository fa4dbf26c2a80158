/** What we write, `openssl cms` reads, and the reverse: every form, algorithm and kind of key that both know. */
import assert from 'node:assert/strict'
import { type KeyObject, createPrivateKey, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { envelopSink } from '../../src/protection/smime/cms/envelop.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { signedDataSink } from '../../src/protection/smime/cms/sign.ts'
import { findSigner, readSignedData, verifySigner } from '../../src/protection/smime/cms/signed-data.ts'
import type { EncryptionChoice, SigningChoice } from '../../src/protection/standard.ts'
import { needs } from '../support/apt.ts'
import { openssl } from '../support/openssl.ts'
import { push } from '../support/push.ts'

const OPENSSL = needs('openssl', 'openssl')

const folder = mkdtempSync(join(tmpdir(), 'sealpost-openssl-'))
after(() => rmSync(folder, { recursive: true }))

const MAIL = Buffer.from('Content-Type: text/plain\r\n\r\n' + 'Guten Tag, Welt! 日本\r\n'.repeat(200))
const CONTENTS: readonly (readonly [name: string, content: Uint8Array])[] = [
  ['5 kB', MAIL],
  ['empty', new Uint8Array()],
  ['2 MB', randomBytes(2 * 2 ** 20 + 7)],
]

const CHUNK_BYTES = 100_000

const KEY_KINDS = {
  rsa: ['-newkey', 'rsa:2048'],
  p256: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
}
type KeyKind = keyof typeof KEY_KINDS

interface Pair {
  readonly certificate: SmimeCertificate
  readonly chain: readonly SmimeCertificate[]
  readonly key: KeyObject
  readonly certificateFile: string
  readonly keyFile: string
}

const pairs = new Map<KeyKind, Pair>()

function pairOf(kind: KeyKind): Pair {
  const pair = pairs.get(kind) ?? makePair(kind)
  pairs.set(kind, pair)
  return pair
}

function makePair(kind: KeyKind): Pair {
  const [keyFile, certificateFile, derFile] = [`${kind}.key`, `${kind}.pem`, `${kind}.der`].map((name) => path(name))
  assert(keyFile !== undefined && certificateFile !== undefined && derFile !== undefined)
  const subject = ['-subj', `/CN=${kind}/emailAddress=${kind}@example.com`, '-days', '30']
  const files = ['-nodes', '-keyout', keyFile, '-out', certificateFile]
  openssl(['req', '-x509', ...KEY_KINDS[kind], ...subject, ...files])
  openssl(['x509', '-in', certificateFile, '-outform', 'DER', '-out', derFile])
  const parsed = parseCertificate(readFileSync(derFile))
  assert(parsed.ok)
  const key = createPrivateKey(readFileSync(keyFile))
  return { certificate: parsed.value, chain: [], key, certificateFile, keyFile }
}

const path = (name: string): string => join(folder, name)

const SIGNATURES: readonly (readonly [
  kind: KeyKind,
  choice: SigningChoice,
  ours: string,
  theirs: readonly string[],
])[] = [
  ['rsa', {}, 'rsa-sha256', []],
  ['rsa', { digest: 'sha512' }, 'rsa-sha512', ['-md', 'sha512']],
  ['rsa', { digest: 'sha384' }, 'rsa-sha384', ['-md', 'sha384', '-keyid']],
  ['rsa', { signature: 'rsa-pss' }, 'rsa-pss-sha256', ['-keyopt', 'rsa_padding_mode:pss']],
  [
    'rsa',
    { signature: 'rsa-pss', digest: 'sha384' },
    'rsa-pss-sha384',
    ['-md', 'sha384', '-keyopt', 'rsa_padding_mode:pss', '-keyopt', 'rsa_pss_saltlen:48'],
  ],
  ['p256', {}, 'ecdsa-sha256', []],
  ['p384', {}, 'ecdsa-sha384', ['-md', 'sha384']],
  ['p521', {}, 'ecdsa-sha512', ['-md', 'sha512']],
]

for (const [kind, choice, algorithm] of SIGNATURES)
  for (const [size, content] of CONTENTS)
    test(`openssl verifies our ${algorithm}, detached and opaque, ${size}`, OPENSSL, () => {
      const pair = pairOf(kind)
      const signingTimeMs = Date.now()
      for (const detached of [true, false]) {
        const signed = push(
          content,
          (out) => signedDataSink({ keys: [pair], detached, choice, signingTimeMs }, out),
          CHUNK_BYTES,
        )
        writeFileSync(path('content'), content)
        const given = detached ? ['-content', path('content')] : []
        const trust = ['-CAfile', pair.certificateFile, '-purpose', 'any']
        const verified = openssl(['cms', '-verify', '-binary', '-inform', 'DER', ...given, ...trust], signed)
        assert.deepEqual(verified, Buffer.from(content))
      }
    })

const FORMS: readonly (readonly [form: string, options: readonly string[]])[] = [
  ['detached', []],
  ['opaque', ['-nodetach']],
  ['opaque, streamed', ['-nodetach', '-stream']],
  ['opaque, without attributes', ['-nodetach', '-noattr']],
]

for (const [kind, choice, algorithm, options] of SIGNATURES)
  for (const [form, formOptions] of FORMS)
    for (const [size, content] of CONTENTS) {
      // OpenSSL 3.0 cannot stream PSS signatures nor empty content: it writes nothing.
      if (form === 'opaque, streamed' && (choice.signature === 'rsa-pss' || content.length === 0)) continue
      test(`we verify openssl's ${algorithm}, ${form}, ${size}`, OPENSSL, () => {
        const { certificate, certificateFile, keyFile } = pairOf(kind)
        const args = ['cms', '-sign', '-binary', '-outform', 'DER', '-signer', certificateFile, '-inkey', keyFile]
        const bytes = openssl([...args, ...options, ...formOptions], content)
        const signedData = readSignedData(bytes)
        assert(signedData.ok, signedData.ok ? '' : signedData.error)
        const [signerInfo] = signedData.value.signerInfos
        assert(signerInfo !== undefined)
        const [carried] = signedData.value.certificates
        assert.deepEqual(Buffer.from(carried ?? []), Buffer.from(certificate.encoded))
        assert.equal(findSigner(signerInfo, [certificate]), certificate)
        if (form !== 'detached') assert.deepEqual(Buffer.from(signedData.value.content ?? []), Buffer.from(content))
        else assert.equal(signedData.value.content, undefined)
        const check = verifySigner(signedData.value, signerInfo, content, certificate, { allowWeak: false })
        assert.equal(check.why, undefined)
        assert.equal(check.algorithm, algorithm)
        const changed = verifySigner(signedData.value, signerInfo, Buffer.from('x'), certificate, { allowWeak: false })
        assert.deepEqual([changed.intact, changed.problem], [false, 'wrong'])
      })
    }

const ENVELOPES: readonly (readonly [choice: EncryptionChoice, options: readonly string[]])[] = [
  [{ cipher: 'aes-128-cbc' }, ['-aes-128-cbc']],
  [{ cipher: 'aes-256-cbc' }, ['-aes-256-cbc']],
  [{ cipher: 'aes-192-cbc' }, ['-aes-192-cbc']],
  [{ cipher: 'aes-128-gcm' }, ['-aes-128-gcm']],
  [{ cipher: 'aes-256-gcm' }, ['-aes-256-gcm']],
]
const KEYS: readonly (readonly [kind: KeyKind, choice: EncryptionChoice, options: readonly (readonly string[])[]])[] = [
  ['rsa', { keyTransport: 'rsa-pkcs1' }, [[], ['-keyid']]],
  [
    'rsa',
    { keyTransport: 'rsa-oaep' },
    [
      ['-keyopt', 'rsa_padding_mode:oaep'],
      ['-keyopt', 'rsa_padding_mode:oaep', '-keyopt', 'rsa_oaep_md:sha256', '-keyopt', 'rsa_mgf1_md:sha256'],
    ],
  ],
  ['p256', {}, [[], ['-keyopt', 'ecdh_kdf_md:sha256'], ['-keyopt', 'ecdh_cofactor_mode:1'], ['-keyid']]],
  ['p384', {}, [[], ['-keyopt', 'ecdh_kdf_md:sha384']]],
  ['p521', {}, [[], ['-keyopt', 'ecdh_kdf_md:sha512']]],
]

/** One content is enough for what differs in the length of the key only. */
const SIMILAR: ReadonlySet<string | undefined> = new Set(['aes-192-cbc', 'aes-128-gcm'])

for (const [cipherChoice, cipherOptions] of ENVELOPES)
  for (const [kind, keyChoice, keyOptions] of KEYS) {
    const name = [cipherChoice.cipher, kind, keyChoice.keyTransport].filter((word) => word !== undefined).join(' ')
    for (const [size, content] of CONTENTS) {
      if (SIMILAR.has(cipherChoice.cipher) && content !== MAIL) continue
      test(`openssl decrypts our ${name}, ${size}`, OPENSSL, () => {
        const { certificate, certificateFile, keyFile } = pairOf(kind)
        const recipients = [pairOf('rsa').certificate, certificate]
        const bytes = push(
          content,
          (out) => envelopSink({ recipients, choice: { ...cipherChoice, ...keyChoice } }, out),
          CHUNK_BYTES,
        )
        const args = ['cms', '-decrypt', '-binary', '-inform', 'DER', '-recip', certificateFile, '-inkey', keyFile]
        assert.deepEqual(openssl(args, bytes), Buffer.from(content))
      })
      for (const options of keyOptions)
        for (const stream of [[], ['-stream']]) {
          if (stream.length > 0 && content.length === 0) continue // OpenSSL cannot stream empty content
          if (options !== keyOptions[0] && content !== MAIL) continue // one content is enough for the rarer options
          test(`we decrypt openssl's ${name} ${[...options, ...stream].join(' ')}, ${size}`, OPENSSL, () => {
            const { certificate, certificateFile, key } = pairOf(kind)
            const args = ['cms', '-encrypt', '-binary', '-outform', 'DER', ...cipherOptions, ...stream]
            const bytes = openssl([...args, '-recip', certificateFile, ...options], content)
            const opened = openEnvelope(bytes, [{ certificate, key }])
            assert.equal(opened.kind, 'decrypted', JSON.stringify(opened))
            assert(opened.kind === 'decrypted')
            assert.deepEqual(Buffer.from(opened.content), Buffer.from(content))
            assert.equal(opened.algorithm, cipherChoice.cipher)
            assert.equal(opened.authenticated, cipherChoice.cipher?.endsWith('-gcm'))
            const stranger = openEnvelope(bytes, [])
            assert.equal(stranger.kind, 'no-key')
          })
        }
    }
  }
