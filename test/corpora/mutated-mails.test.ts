/** Thousands of changes to the signed mails of the corpora that are valid: whatever is still valid then says the same. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { canonicalMail } from '../../src/cli/mail-file.ts'
import { parsePart } from '../../src/message/parse.ts'
import { authorOf } from '../../src/protection/author.ts'
import { type PackedRing, type PeelReport, packCertificate, runPeel } from '../../src/protection/jobs.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { CORPORA, everybody } from '../support/corpora.ts'
import { assertSameWhenLarge } from '../support/large.ts'
import { everybodyOfOpenpgp } from '../support/openpgp-corpora.ts'
import { type Subject, runMutations } from '../support/mutation-run.ts'

const SECONDS = 8
const AT_MS = Date.UTC(2026, 0, 1)
const OPENPGP_AT_MS = Date.UTC(2026, 10, 22)
const PKITS_AT_MS = Date.UTC(2004, 10, 9)
/** Opening piece by piece takes eight times as long. */
const LARGE_EVERY = 8
/** Where valid signed mails are; what of it is valid is found out. */
const MAILS = '{james-mail,notmuch,protected-headers-draft,openssl-cms,gnupg,kde-*,rfc4134}/**/*.{eml,mbox,inner,txt}'

const OPENPGP_MAILS = '{chatmail-core,notmuch,protected-headers-draft,kde-*}/**/*.{eml,mbox,inner}'

function opened(raw: Buffer, ring: PackedRing, atMs: number): PeelReport {
  const [report] = runPeel({ kind: 'peel', raw, atMs, rings: [ring] })
  assert(report)
  if (openings++ % LARGE_EVERY === 0) assertSameWhenLarge(raw, ring, atMs, report, 'read piece by piece', 'anyDefect')
  return report
}
let openings = 0

function subjectsIn(pattern: string, cwd: string, ring: PackedRing, atMs: number): Subject[] {
  return globSync(pattern, { cwd }).flatMap((name): Subject[] => {
    const mail = Buffer.from(canonicalMail(readFileSync(join(cwd, name))))
    const isValid = /pkcs7|pgp/i.test(mail.toString('latin1')) && opened(mail, ring, atMs).summary.signature === 'valid'
    return isValid ? [{ name, mail, protectedHeader: false, open: (bytes) => opened(bytes, ring, atMs) }] : []
  })
}

/** The certificates of most of these mails name no address; those that do are valid at once. */
function pkits(): Subject[] {
  const folder = join(CORPORA, 'pkits-smime')
  const anchor = parseCertificate(readFileSync(join(folder, 'certs/TrustAnchorRootCertificate.crt')))
  assert(anchor.ok)
  const ring = { decryptionKeys: [], known: [], anchors: [packCertificate(anchor.value)], allowWeak: true }
  return globSync('smime/*.eml', { cwd: folder }).flatMap((name): Subject[] => {
    const mail = Buffer.from(canonicalMail(readFileSync(join(folder, name))))
    const { signers, summary } = opened(mail, ring, PKITS_AT_MS)
    const known = signers.map((signer) => ({ ...signer, trust: 'candidate' as const }))
    if (summary.signature !== 'valid' && !summary.reason?.includes('names no address')) return []
    const author = describeAuthor(mail)
    // what is known is known of one address: it is not asked for when another stands in From
    const open = (bytes: Buffer): PeelReport =>
      opened(bytes, describeAuthor(bytes) === author ? { ...ring, known } : ring, PKITS_AT_MS)
    return [{ name, mail, protectedHeader: false, open }]
  })
}

const describeAuthor = (mail: Buffer): string => JSON.stringify(authorOf(parsePart(mail))).toLowerCase()

describe('mails of the corpora', { skip: existsSync(CORPORA) ? false : 'no corpora' }, () => {
  test('of many programs: no change is valid with other content or another signer', (t) => {
    const subjects = subjectsIn(MAILS, CORPORA, everybody(), AT_MS)
    assert(subjects.length >= 9, `only ${subjects.length} valid mails`)
    runMutations(t, subjects, SECONDS)
  })

  test('of OpenPGP programs: the same', (t) => {
    const ring = everybodyOfOpenpgp()
    const found = subjectsIn(OPENPGP_MAILS, CORPORA, ring, OPENPGP_AT_MS)
    // the charset of a text that is signed inline is not
    const subjects = found
      .filter(({ name }) => !name.includes('inline'))
      .map(({ mail, ...subject }): Subject => {
        const author = describeAuthor(mail)
        const known = (bytes: Buffer): PackedRing['known'] => (describeAuthor(bytes) === author ? ring.known : [])
        return { ...subject, mail, open: (bytes) => opened(bytes, { ...ring, known: known(bytes) }, OPENPGP_AT_MS) }
      })
    assert(subjects.length >= 35, `only ${subjects.length} valid mails`)
    runMutations(t, subjects, SECONDS)
  })

  test('of PKITS: the same', (t) => {
    const subjects = pkits()
    assert(subjects.length >= 88, `only ${subjects.length} valid mails`)
    runMutations(t, subjects, SECONDS / 2)
  })
})
