/**
 * NIST PKITS as signed mails: 224 ready messages, each with its certificates and revocation lists inside. The names of
 * the files say what must happen, and EXPECTED.tsv says it for those that depend on the policies one starts from.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { canonicalMail } from '../../src/cli/mail-file.ts'
import { type PackedRing, type PeelReport, packCertificate, runPeel } from '../../src/protection/jobs.ts'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { runSealpost } from '../support/provider.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/corpora/pkits-smime')
const DAY = '2004-11-09' // the suite was valid from 2001 to 2011
const NAMELESS = "the signer's certificate names no address"

/** Valid mails that are not "valid" here, and why we mean to. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  SignedValidDSAParameterInheritanceTest5: 'DSA parameters that are inherited are not read',
}

/** The list of a wrong issuer came with the mail, so nothing tells whether these are revoked. */
const NO_STATUS = [
  'SignedInvalidBadCRLIssuerNameTest5',
  'SignedInvalidIDPwithindirectCRLTest26',
  'SignedInvalidWrongCRLTest6',
  'SignedInvalidcRLIssuerTest27',
]

type Rules = Partial<Pick<PackedRing, 'allowWeak' | 'revocation'>>

interface Row {
  readonly name: string
  readonly file: string
  /** `either`: the outcome depends on policies that a mail server has no opinion on. */
  readonly expected: 'valid' | 'invalid' | 'either'
}

describe('PKITS mails', { skip: existsSync(FOLDER) ? false : 'no corpora' }, () => {
  const rows = existsSync(FOLDER) ? readRows() : []
  const anchorFile = join(FOLDER, 'certs/TrustAnchorRootCertificate.crt')
  const judged = rows.map((row) => ({ ...row, ...judge(row, { allowWeak: true, revocation: 'require' }) }))

  test('there are 224, and each is a signature that holds', () => {
    assert.equal(rows.length, 224)
    const broken = judged.filter(({ report }) => report.signers.length !== 1).map(({ name }) => name)
    assert.deepEqual(broken, Object.keys(LEFT_OUT))
  })

  test('none that must be refused is valid', (t) => {
    const invalid = judged.filter((each) => each.expected === 'invalid')
    const accepted = invalid.filter((each) => each.trusted || each.report.summary.signature === 'valid')
    const verdicts = Object.groupBy(invalid, (each) => each.report.summary.signature)
    const counts = Object.entries(verdicts).map(([verdict, each]) => `${each.length} ${verdict}`)
    t.diagnostic(`${invalid.length} invalid mails: ${counts.join(', ')}`)
    assert.equal(invalid.length, 120)
    assert.deepEqual(
      accepted.map((each) => each.name),
      [],
    )
  })

  test('those that must be accepted are valid, once the signer is known as the author', (t) => {
    const valid = judged.filter((each) => each.expected === 'valid')
    const refused = valid.filter((each) => !each.trusted)
    const either = judged.filter((each) => each.expected === 'either')
    t.diagnostic(`${valid.length - refused.length} of ${valid.length} valid mails are valid`)
    for (const { name } of refused) t.diagnostic(`left out: ${name}: ${LEFT_OUT[name] ?? 'UNEXPECTED'}`)
    t.diagnostic(`${either.length} depend on policies: ${either.filter((each) => each.trusted).length} valid`)
    assert.equal(valid.length, 90)
    assert.deepEqual(refused.map((each) => each.name).toSorted(), Object.keys(LEFT_OUT).toSorted())
  })

  test('four more are believed where a status is not required', () => {
    const accepted = rows.filter((row) => row.expected === 'invalid' && judge(row, { allowWeak: true }).trusted)
    assert.deepEqual(
      accepted.map((each) => each.name),
      NO_STATUS,
    )
  })

  test('none is valid where SHA-1 and RSA with 1024 bits are not allowed', () => {
    const accepted = rows.filter((row) => judge(row, {}).report.summary.signature === 'valid')
    assert.deepEqual(accepted, [])
  })

  test('the command says the same', async () => {
    const cases: readonly [name: string, outcome: string, signature: string][] = [
      ['SignedValidRFC822nameConstraintsTest21', 'accept', 'valid'],
      ['SignedValidDNnameConstraintsTest4', 'accept', 'valid'],
      ['SignedInvalidRevokedEETest3', 'refuse', 'revoked'],
      ['SignedInvalidCAnotAfterDateTest5', 'accept', 'expired'],
      ['SignedInvalidRFC822nameConstraintsTest22', 'accept', 'untrusted'],
    ]
    const files = cases.map(([name]) => join(FOLDER, 'smime', `${name}.eml`))
    const args = ['open', ...files, '--with', anchorFile, '--at', DAY, '--json']
    const found = await openedBy([...args, '--allow-weak', '--require-status'])
    assert.deepEqual(
      found,
      cases.map(([, outcome, signature]) => [outcome, signature]),
    )
    for (const [, signature] of await openedBy(args)) assert.notEqual(signature, 'valid')
  })

  /** `trusted`: valid at once, or, where the certificate names no address, valid when it is known as the author's. */
  function judge(row: Row, rules: Rules): { report: PeelReport; trusted: boolean } {
    const raw = canonicalMail(readFileSync(row.file))
    const report = peel(raw, [], rules)
    const { signature, reason } = report.summary
    const known = report.signers.map((signer) => ({ ...signer, trust: 'candidate' as const }))
    const again = peel(raw, known, rules).summary.signature
    assert.equal(again === 'valid', signature === 'valid' || reason === NAMELESS, row.name)
    return { report, trusted: again === 'valid' }
  }

  function peel(raw: Uint8Array, known: PackedRing['known'], rules: Rules): PeelReport {
    const anchor = parseCertificate(readFileSync(anchorFile))
    assert.ok(anchor.ok)
    const ring = { decryptionKeys: [], known, anchors: [packCertificate(anchor.value)], allowWeak: false, ...rules }
    const [report] = runPeel({ kind: 'peel', raw, atMs: Date.parse(DAY), rings: [ring] })
    assert.ok(report)
    return report
  }
})

/** The name decides; where it says nothing, what another implementation found with every set of policies. */
function readRows(): Row[] {
  const [, ...lines] = readFileSync(join(FOLDER, 'EXPECTED.tsv'), 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [path = '', byName = '', byPolicies = ''] = line.split('\t')
    const said = byName === '?' ? byPolicies : byName
    const expected = { VALID: 'valid', OK: 'valid', INVALID: 'invalid', FAIL: 'invalid' } as const
    return {
      name: path.slice('smime/'.length, -'.eml'.length),
      file: join(FOLDER, path),
      expected: expected[said as keyof typeof expected] ?? 'either',
    }
  })
}

async function openedBy(args: readonly string[]): Promise<readonly string[][]> {
  const lines = (await runSealpost(args)).trimEnd().split('\n')
  return lines.map((line) => {
    const { outcome, summary } = JSON.parse(line) as { outcome: string; summary: { signature: string } }
    return [outcome, summary.signature]
  })
}
