/**
 * Headers protected in the way of draft-autocrypt, by the programs of its authors: the samples of the draft, and what
 * notmuch is tested with: rightly made, in the wrong place, phony, and wrapped by a list. Those in OpenPGP are decrypted by
 * gpg; what their payload means is decided by our code, as for S/MIME.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { concatBytes, latin1 } from '../../src/base/bytes.ts'
import { contentTypeOf } from '../../src/message/content-type.ts'
import { fieldBody, firstField } from '../../src/message/header-field.ts'
import { childrenOf } from '../../src/message/mime-tree.ts'
import { parsePart } from '../../src/message/parse.ts'
import { bodyOf } from '../../src/message/part.ts'
import { STANDARDS, runPeel } from '../../src/protection/jobs.ts'
import { peel } from '../../src/protection/peel.ts'
import type { ProtectionStandard } from '../../src/protection/standard.ts'
import type { Summary } from '../../src/protection/summary.ts'
import { CORPORA, everybody } from '../support/corpora.ts'
import { needs } from '../support/apt.ts'

const AT_MS = Date.UTC(2026, 10, 22)

/** Verdict on the signature, the Subject that is shown, and what protects it. */
type Expected = readonly [signature: string, subject: string, state: string | undefined]

const BARCORP = "BarCorp contract signed, let's go!"
const SMIME: Readonly<Record<string, Expected>> = {
  'smime-enc+legacy-disp.eml': ['none', BARCORP, 'encrypted-only'],
  'smime-multipart-signed.eml': ['valid', 'The FooCorp contract', 'signed-only'],
  'smime-onepart-signed.eml': ['valid', 'The FooCorp contract', 'signed-only'],
  'smime-sign+enc+legacy-disp.eml': ['valid', BARCORP, 'signed-and-encrypted'],
  'smime-sign+enc.eml': ['valid', BARCORP, 'signed-and-encrypted'],
}

const HIDDEN = ['none', 'Subject Unavailable', undefined] as const
const OPENPGP: Readonly<Record<string, Expected>> = {
  'pgpmime-enc+legacy-disp.eml': ['none', BARCORP, 'encrypted-only'],
  'pgpmime-layered+legacy-disp.eml': ['none', '...', 'unprotected'], // multipart/signed inside, which is not opened here
  'pgpmime-layered.eml': ['none', '...', 'unprotected'],
  'pgpmime-sign+enc+legacy-disp.eml': ['none', BARCORP, 'encrypted-only'],
  'pgpmime-sign+enc.eml': ['none', BARCORP, 'encrypted-only'],
  'pgpmime-signed.eml': ['none', 'The FooCorp contract', undefined],
  'unfortunately-complex.eml': ['none', '...', 'unprotected'],
  // two layers, the inner one phony: nothing is opened
  'double-wrapped-with-phony-protected-header.eml': HIDDEN,
  'encrypted-message-with-forwarded-attachment.eml': [
    'none',
    'This is the cryptographic envelope subject',
    'encrypted-only',
  ],
  'encrypted-signed-not-masked.eml': ['none', 'Rhinoceros dinner', 'unprotected'],
  'encrypted-signed.eml': ['none', 'Rhinoceros dinner', 'encrypted-only'],
  'misplaced-protected-header.eml': ['none', 'Subject Unavailable', 'unprotected'],
  // RFC 8551: this very mail, wrapped
  'nested-rfc822-message.eml': [
    'none',
    'This is a message using draft-melnikov-smime-header-signing',
    'encrypted-only',
  ],
  'no-protected-header-attribute.eml': ['none', 'Subject Unavailable', 'unprotected'],
  'phony-protected-header-bad-encryption.eml': HIDDEN,
  'protected-header.eml': ['none', 'This is a protected header', 'encrypted-only'],
  'protected-with-legacy-display.eml': ['none', 'Interrupting Cow', 'encrypted-only'],
  'signed-protected-header.eml': ['none', 'This is a signed message', undefined],
  'simple-signed-mail.eml': ['none', 'This is a signed message', undefined],
  'subjectless-protected-header.eml': ['none', 'This is a protected header', 'encrypted-only'],
  // a list has put its footer around it: an errant layer, which stays closed
  'wrapped-protected-header.eml': ['none', '[mailing-list] Subject Unavailable', undefined],
}

const FOLDERS = ['protected-headers-draft', 'notmuch/test/corpora/protected-headers']
const skip = existsSync(CORPORA) ? false : 'no corpora'
const files = (): string[] =>
  FOLDERS.flatMap((folder) => readdirSync(join(CORPORA, folder)).map((name) => join(folder, name))).filter((file) =>
    file.endsWith('.eml'),
  )
const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1)

describe('protected headers of other programs', { skip }, () => {
  const ring = skip === false ? everybody() : undefined

  test('every mail is in one of the tables', () => {
    const names = new Set(files().map(nameOf))
    assert.deepEqual([...names].toSorted(), Object.keys({ ...SMIME, ...OPENPGP }).toSorted())
  })

  for (const file of skip === false ? files() : []) {
    const expected = SMIME[nameOf(file)]
    if (expected !== undefined)
      test(file, () => {
        const raw = readFileSync(join(CORPORA, file))
        const [report] = runPeel({ kind: 'peel', raw, atMs: AT_MS, rings: [ring ?? assert.fail()] })
        assert(report?.message !== undefined)
        check(file, expected, report.summary, report.message)
      })
  }

  describe('in OpenPGP', needs('gpg', 'gpg'), () => {
    const home = mkdtempSync(join(tmpdir(), 'sealpost-gpg-'))
    after(() => {
      spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
      rmSync(home, { recursive: true, force: true })
    })
    const gpg = (args: readonly string[], input: Uint8Array = Buffer.alloc(0)): Buffer =>
      spawnSync('gpg', ['--homedir', home, '--batch', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
        input,
      }).stdout
    if (skip === false)
      for (const key of ['notmuch/test/openpgp4-secret-key.asc', 'protected-headers-draft/bob@openpgp.example.sec.asc'])
        gpg(['--import', join(CORPORA, key)])

    for (const file of skip === false ? files() : []) {
      const expected = OPENPGP[nameOf(file)]
      if (expected !== undefined)
        test(file, () => {
          const message = parsePart(readFileSync(join(CORPORA, file)))
          const ring = { decryptionKeys: [], known: [], anchors: [] }
          const { summary, message: opened } = peel([decryptedBy(gpg)], message, ring, AT_MS)
          assert(opened !== undefined)
          check(file, expected, summary, concatBytes(opened))
        })
    }
  })
})

function check(file: string, expected: Expected, summary: Summary, opened: Uint8Array): void {
  const message = parsePart(opened)
  const subject = firstField(message, 'Subject')
  assert.deepEqual([summary.signature, subject && fieldBody(subject), summary.fields.Subject], expected)
  const isOpen = summary.fields.Subject !== 'unprotected'
  if (isOpen && file.includes('legacy-disp')) assert.doesNotMatch(latin1(bodyOf(message)), /^Subject: /m, 'said twice')
}

/** gpg as a standard that opens PGP/MIME encryption (RFC 3156 §4), and nothing else. */
function decryptedBy(gpg: (args: readonly string[], input: Uint8Array) => Buffer): ProtectionStandard {
  const [smime] = STANDARDS
  assert(smime !== undefined)
  return {
    ...smime,
    name: 'openpgp',
    recognise: (part) => (contentTypeOf(part).type === 'multipart/encrypted' ? 'encrypted' : undefined),
    open(part) {
      const [, encrypted] = childrenOf(part).children
      const plaintext = encrypted === undefined ? Buffer.alloc(0) : gpg(['--decrypt'], bodyOf(encrypted))
      const form = 'multipart/encrypted'
      if (plaintext.length === 0) return { kind: 'no-key', form, recipients: [] }
      const inner = parsePart(plaintext)
      return { kind: 'decrypted', form, inner, algorithm: 'gpg', authenticated: true, openedBy: '' }
    },
  }
}
