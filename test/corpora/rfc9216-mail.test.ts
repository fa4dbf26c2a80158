/**
 * RFC 9216: mail between Alice and Bob (RSA) and Carlos and Dana (Ed25519 and X25519), through the whole of protection:
 * their PKCS#12 files are all that either side is given.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import { type SmimeKeyFile, readKeyFile } from '../../src/protection/smime/key-files/key-file.ts'
import {
  type PackedCopy,
  type PackedRing,
  type PeelReport,
  packCertificate,
  packKey,
  runPeel,
  startWrap,
} from '../../src/protection/jobs.ts'
import type { SmimeCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { smime } from '../../src/protection/smime/smime.ts'
import type { EncryptionChoice, SigningChoice } from '../../src/protection/standard.ts'
import type { Layering } from '../../src/protection/wrap.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/corpora/rfc9216')
const AT_MS = Date.UTC(2026, 0, 1)
const BODY = 'Content-Type: text/plain; charset=utf-8\r\n\r\nHello 今日は\r\n.\r\n'

const LAYERINGS: readonly Layering[] = ['sign', 'encrypt-sign', 'sign-encrypt', 'triple']
const SIGNINGS: readonly SigningChoice[] = [
  {},
  { form: 'opaque' },
  { signature: 'rsa-pss', digest: 'sha384' },
  { form: 'opaque', digest: 'sha512' },
]
const ENCRYPTIONS: readonly EncryptionChoice[] = [
  {},
  { cipher: 'aes-128-cbc' },
  { cipher: 'aes-256-gcm', keyTransport: 'rsa-oaep' },
]

describe('RFC 9216 mail', { skip: existsSync(FOLDER) ? false : 'no corpora' }, () => {
  for (const [from, to] of [
    ['alice', 'bob'],
    ['bob', 'carlos'],
    ['carlos', 'dana'],
    ['dana', 'alice'],
  ] as const)
    test(`${from} writes to ${to}: every layering, signature form and cipher`, () => {
      let count = 0
      for (const layering of LAYERINGS)
        for (const signing of SIGNINGS)
          for (const encryption of layering === 'sign' ? [{}] : ENCRYPTIONS) {
            const why = JSON.stringify([layering, signing, encryption])
            const mail = sealed(from, to, { layering, signing, encryption })
            const report = opened(mail, to)
            const encrypted = layering !== 'sign'
            const signer = `${from}@smime.example`
            assert.partialDeepStrictEqual(report.summary, { encrypted, signature: 'valid', signer, reason: null }, why)
            assert.ok(textOf(report).endsWith(BODY.slice(BODY.indexOf('\r\n\r\n'))), why)
            assert.equal(textOf({ message: mail }).includes('今日は'), layering === 'sign' && signing.form !== 'opaque')
            count++
          }
      assert.equal(count, 4 + 3 * 12)
    })

  test('neither the wrong reader nor the wrong root opens or believes it', () => {
    const mail = sealed('alice', 'bob', { layering: 'sign-encrypt', signing: {}, encryption: {} })
    assert.deepEqual([opened(mail, 'carlos').sealed, opened(mail, 'carlos').summary.signature], [true, 'none'])
    const strange = opened(mail, 'bob', { anchors: [] })
    assert.equal(strange.summary.signature, 'untrusted')
    const late = opened(mail, 'bob', { atMs: Date.UTC(2053, 0, 1) })
    assert.equal(late.summary.signature, 'expired')
    const early = opened(mail, 'bob', { atMs: Date.UTC(2019, 0, 1) })
    assert.equal(early.summary.signature, 'expired')
  })

  test('Alice is believed under either root: the authorities have certified each other', () => {
    const mail = sealed('alice', 'bob', { layering: 'sign', signing: {}, encryption: {} }, ['rsa', 'ed25519'])
    for (const anchor of ['rsa', 'ed25519'] as const)
      assert.equal(opened(mail, 'bob', { anchors: [anchor] }).summary.signature, 'valid', anchor)
  })

  test('what Alice signed is not valid as mail of Bob', () => {
    const mail = Buffer.from(sealed('alice', 'bob', { layering: 'sign', signing: {}, encryption: {} }))
    const forged = Buffer.from(mail.toString('latin1').replace('From: alice@', 'From: bob@'), 'latin1')
    assert.equal(opened(forged, 'bob').summary.signature, 'mismatch')
  })
})

interface Choice {
  readonly layering: Layering
  readonly signing: SigningChoice
  readonly encryption: EncryptionChoice
}

type Root = 'rsa' | 'ed25519'

/** `crossed`: authorities whose cross-certificate goes out with the signature. */
function sealed(from: string, to: string, choice: Choice, crossed: readonly Root[] = []): Uint8Array {
  const { keys, certificates } = person(from)
  const pair = keys.find(({ certificate }) => certificate.canSign)
  assert.ok(pair)
  const chain = [...certificates.filter((each) => each.isAuthority && !each.selfIssued), ...crossed.map(crossSigned)]
  const copy: PackedCopy = {
    kind: 'wrapped',
    ...choice,
    standard: 'smime' as const,
    signers: [packKey({ ...pair, chain })],
    recipients: choice.layering === 'sign' ? [] : [packCertificate(encryptionCertificate(to))],
    headerProtection: true,
  }
  const [mime, body] = splitAt(BODY, BODY.indexOf('\r\n\r\n') + 2)
  const out = new Collector()
  const header = utf8(`From: ${from}@smime.example\r\nTo: ${to}@smime.example\r\nSubject: Test\r\n${mime}`)
  const job = { kind: 'wrap', header, trace: new Uint8Array(0), signingTimeMs: AT_MS, copies: [copy] } as const
  const sink = startWrap(job, [out])
  sink.write(utf8(body.slice(2)))
  sink.end()
  return concatBytes(out.take())
}

function opened(
  raw: Uint8Array,
  reader: string,
  { anchors = ['rsa', 'ed25519'], atMs = AT_MS }: { anchors?: readonly Root[]; atMs?: number } = {},
): PeelReport {
  const ring: PackedRing = {
    decryptionKeys: person(reader).keys.map((pair) => packKey({ ...pair, chain: [] })),
    known: [],
    anchors: anchors.map((name) => packCertificate(root(name))),
    allowWeak: false,
  }
  const [report] = runPeel({ kind: 'peel', raw, atMs, rings: [ring] })
  assert.ok(report)
  return report
}

const people = new Map<string, SmimeKeyFile>()

function person(name: string): SmimeKeyFile {
  const known = people.get(name) ?? read(`${name}.p12`, name)
  people.set(name, known)
  return known
}

function encryptionCertificate(name: string): SmimeCertificate {
  const found = person(name).certificates.find(
    (each) => each.canEncrypt && !each.isAuthority && smime.encryptionAlgorithm(each, each.notBeforeMs) !== undefined,
  )
  assert.ok(found, name)
  return found
}

const root = (name: Root) => authority(`${name}-certification-authority-root-certificate.crt.pem`)
const crossSigned = (name: Root) => authority(`${name}-certification-authority-cross-signed-certificate.crt.pem`)

function authority(file: string): SmimeCertificate {
  const [certificate] = read(file).certificates
  assert.ok(certificate)
  return certificate
}

function read(file: string, password?: string): SmimeKeyFile {
  const content = readKeyFile(readFileSync(join(FOLDER, file)), password)
  assert.ok(content.ok, file)
  return content.value
}

const splitAt = (text: string, at: number): [string, string] => [text.slice(0, at), text.slice(at)]
const textOf = (report: Pick<PeelReport, 'message'>): string => Buffer.from(report.message ?? []).toString('utf8')
