/**
 * NIST PKITS, edition of 2011: every vector of pkits.json, with its CRLs and its policy inputs, at a day on which the suite was valid.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { parseCrl } from '../../src/protection/smime/x509/crl.ts'
import { type PathRequest, searchPath } from '../../src/protection/smime/x509/path-search.ts'
import { validatePath } from '../../src/protection/smime/x509/path-validation.ts'
import type { TrustFinding } from '../../src/protection/standard.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/corpora/pkits/tests/fixtures/nist_pkits')
const OLD_FOLDER = join(import.meta.dirname, '../../../shared/corpora/pkits-smime')
const OLD_AT_MS = Date.UTC(2004, 10, 9)
const AT_MS = Date.UTC(2024, 0, 1)

interface Vector {
  readonly id: string
  readonly name: string
  readonly cert: string
  readonly other_certs?: readonly string[]
  readonly crls?: readonly string[]
  readonly revocation?: boolean
  readonly error?: object
  readonly params?: {
    readonly user_initial_policy_set?: readonly string[]
    readonly initial_explicit_policy?: boolean
    readonly initial_policy_mapping_inhibit?: boolean
    readonly initial_any_policy_inhibit?: boolean
  }
}

/** Valid paths that are refused, and why we mean to. */
const REFUSED_ON_PURPOSE: Readonly<Record<string, string>> = {
  valid_dsa_signatures_test4: 'DSA is weak',
  valid_dsa_parameter_inheritance_test5: 'DSA is weak, and parameters that are inherited are not read',
}

test('PKITS', { skip: existsSync(FOLDER) ? false : 'no corpora' }, (t) => {
  const vectors = readVectors()
  assert.equal(vectors.length, 247)
  const wrong: string[] = []
  let right = 0
  for (const vector of vectors) {
    const found = judge(vector)
    const mustBeTrusted = vector.error === undefined && !(vector.name in REFUSED_ON_PURPOSE)
    if (found.trusted === mustBeTrusted) right++
    else wrong.push(`${vector.id} ${vector.name}: ${found.trusted ? 'trusted' : found.why}`)
    if (vector.revocation === true && !found.trusted) assert.notEqual(found.verdict, 'expired', vector.name)
  }
  const refused = Object.entries(REFUSED_ON_PURPOSE).map(([name, why]) => `${name}: ${why}`)
  t.diagnostic(
    `PKITS: ${right - refused.length} of ${vectors.length} as NIST wants; valid, but refused: ${refused.join(', ')}`,
  )
  assert.deepEqual(wrong, [])
})

/**
 * The edition of 2001 (SHA-1, RSA-1024), every certificate and CRL of it at hand for each path: the names of the files
 * tell what must happen.
 */
test(
  'PKITS of 2001, all certificates and lists thrown together',
  { skip: existsSync(OLD_FOLDER) ? false : 'no corpora' },
  (t) => {
    const files = readdirSync(join(OLD_FOLDER, 'certs'))
    const certificates = new Map(files.map((file) => [file, readOld(file)]))
    const untrusted = [...certificates.values()].flatMap((parsed) => (parsed.ok ? [parsed.value] : []))
    const anchors = untrusted.filter(({ subject, selfIssued }) => selfIssued && subject.startsWith('CN=Trust Anchor,'))
    const crls = readdirSync(join(OLD_FOLDER, 'crls')).map((file) => readFileSync(join(OLD_FOLDER, 'crls', file)))
    const given = { untrusted, anchors, crls, atMs: OLD_AT_MS, revocation: 'require', purpose: 'email' } as const
    const isTrusted = (file: string, allowWeak: boolean): boolean => {
      const parsed = certificates.get(file)
      return parsed?.ok === true && validatePath({ ...given, certificate: parsed.value, allowWeak }).trusted
    }
    const leaves = files.filter((file) => /^(?:Valid|Invalid).*EE\.crt$/.test(file))
    const wrong = leaves.filter((file) => isTrusted(file, true) !== file.startsWith('Valid'))
    t.diagnostic(
      `PKITS of 2001: ${leaves.length - wrong.length} of ${leaves.length} as expected, ${wrong.length} inherits its DSA parameters`,
    )
    assert.equal(leaves.length, 203)
    assert.deepEqual(wrong, ['ValidDSAParameterInheritanceTest5EE.crt'])
    assert.deepEqual(
      leaves.filter((file) => isTrusted(file, false)),
      [],
      'all of them are weak',
    )
  },
)

const readOld = (file: string) => parseCertificate(readFileSync(join(OLD_FOLDER, 'certs', file)))

function readVectors(): readonly Vector[] {
  return JSON.parse(readFileSync(join(FOLDER, 'pkits.json'), 'utf8')) as readonly Vector[]
}

function judge(vector: Vector): TrustFinding {
  const read = (file: string) => parseCertificate(readFileSync(join(FOLDER, 'certs', file)))
  const certificate = read(vector.cert)
  if (!certificate.ok) return { trusted: false, verdict: 'untrusted', why: certificate.error }
  const anchor = read('TrustAnchorRootCertificate.crt')
  assert.ok(anchor.ok)
  const { params = {} } = vector
  const policies = {
    ...(params.user_initial_policy_set === undefined ? {} : { acceptable: new Set(params.user_initial_policy_set) }),
    requireExplicit: params.initial_explicit_policy === true,
    inhibitMapping: params.initial_policy_mapping_inhibit === true,
    inhibitAny: params.initial_any_policy_inhibit === true,
  }
  const crls = ['TrustAnchorRootCRL.crl', ...(vector.crls ?? [])].flatMap((file) => {
    const crl = parseCrl(readFileSync(join(FOLDER, 'crls', file)))
    return crl.ok ? [crl.value] : []
  })
  const request: PathRequest = {
    certificate: certificate.value,
    untrusted: (vector.other_certs ?? []).map(read).flatMap((other) => (other.ok ? [other.value] : [])),
    anchors: [anchor.value],
    atMs: AT_MS,
    crls,
    revocation: 'require',
    policies,
  }
  return searchPath(request)
}
