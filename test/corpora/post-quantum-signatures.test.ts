/** ML-DSA, SLH-DSA and ML-KEM certificates, private keys and signed messages of four implementations. */
import assert from 'node:assert/strict'
import { createPublicKey, sign } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { readAlgorithm } from '../../src/protection/smime/algorithms.ts'
import { parseDer } from '../../src/protection/smime/asn1/der-reader.ts'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { checkSignature } from '../../src/protection/smime/check-signature.ts'
import {
  type SignedData,
  findSigner,
  readSignedData,
  verifySigner,
} from '../../src/protection/smime/cms/signed-data.ts'
import { importKey } from '../../src/protection/smime/key-files/private-key.ts'
import { SIGNATURES } from '../../src/protection/smime/signature-algorithms.ts'
import { isSameKey } from '../../src/protection/key-object.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const skip = existsSync(CORPORA) ? false : 'no corpora'
const CMS = join(CORPORA, 'pqc-certificates/cms_v3')
const find = (pattern: string): string[] => (skip === false ? globSync(join(CORPORA, pattern)).toSorted() : [])

/** PEM blocks whose label matches, or the whole file where it is DER. */
function blocks(file: string, label: RegExp): Buffer[] {
  const bytes = readFileSync(file)
  const found = [...bytes.toString('latin1').matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END/g)]
  if (found.length === 0) return [bytes]
  return found.flatMap(([, name = '', text = '']) => (label.test(name) ? [Buffer.from(text, 'base64')] : []))
}

const certificateFiles = find(
  '{pqc-certificates/cms_v3/*/*_ee.der,pqc-certificates/cms_v3/*/ta.der,bc-test-data/pkix/cert/*/*.pem,cms-kyber/example/*.pem,openssl-cms/test/smime-certs/sm_*.pem}',
)
const certificates = certificateFiles.flatMap((file) => {
  const [der = Buffer.alloc(0)] = blocks(file, /CERTIFICATE/)
  const parsed = parseCertificate(der)
  return parsed.ok ? [{ file, certificate: parsed.value }] : []
})

/** What a file is called says what is in it: `ML-KEM-512…`, `slh-dsa-sha2-128f…`, `sm_slhdsa_shake_128s.pem`. */
function namedAlgorithm(file: string): string | undefined {
  const name = basename(file).toLowerCase().replaceAll('_', '-')
  const known = [...SIGNATURES.flatMap(({ keyTypes }) => keyTypes), 'ml-kem-512', 'ml-kem-768', 'ml-kem-1024']
  return known.find((each) => name.replaceAll('-', '').includes(each.replaceAll('-', '')))
}

test('every post-quantum certificate is read, named, and verifies under its authority', { skip }, (t) => {
  assert.equal(certificates.length, certificateFiles.length)
  assert(certificates.length >= 27, `${certificates.length}`)
  let verified = 0
  for (const { file, certificate } of certificates) {
    const named = namedAlgorithm(file)
    if (named !== undefined && !file.includes('RootCA')) assert.equal(certificate.algorithm, named, file)
    assert.equal(certificate.canEncrypt, certificate.algorithm.startsWith('ml-kem'), file)
    if (certificate.algorithm.startsWith('ml-kem')) assert.equal(certificate.canSign, false, file)
    const issuers = certificates.filter((each) => each.certificate.subjectKey === certificate.issuerKey)
    if (issuers.length === 0) continue // OpenSSL's are issued by an RSA root that stands elsewhere
    assert(
      issuers.some((issuer) => isIssuedBy(certificate, issuer.certificate)),
      file,
    )
    verified++
  }
  t.diagnostic(
    `post-quantum certificates: ${certificates.length} read, ${verified} of them verified under their authority`,
  )
})

function isIssuedBy({ tbs, signature, signatureAlgorithm }: SmimeCertificate, issuer: SmimeCertificate): boolean {
  const node = parseDer(signatureAlgorithm)
  const algorithm = node.ok ? readAlgorithm(node.value) : node
  assert(algorithm.ok)
  return checkSignature({ algorithm: algorithm.value, key: issuer.publicKey, message: tbs, signature }).ok
}

test(
  'private keys are read in every form: seed, expanded, both; and are those of their certificates',
  { skip },
  (t) => {
    const files = find(
      '{pqc-certificates/cms_v3/*/*_priv.der,cms-kyber/example/*.priv,openssl-cms/test/smime-certs/sm_*.pem}',
    )
    let paired = 0
    for (const file of files) {
      const [der = Buffer.alloc(0)] = blocks(file, /PRIVATE KEY/)
      const key = importKey(der)
      const named = namedAlgorithm(file)
      if (named !== undefined) assert.equal(key.asymmetricKeyType, named, file)
      const publicKey = createPublicKey(key)
      if (certificates.some(({ certificate }) => isSameKey(certificate.publicKey, publicKey))) paired++
      const row = SIGNATURES.find(({ keyTypes }) => keyTypes.includes(key.asymmetricKeyType ?? ''))
      if (row === undefined || row.keyTypes[0]?.endsWith('s') === true) continue // the small SLH-DSA sets sign for seconds
      const message = Buffer.from('signed with what was read')
      const signature = sign(undefined, message, key)
      assert(checkSignature({ algorithm: { oid: row.oid }, key: publicKey, message, signature }).ok, file)
    }
    t.diagnostic(`post-quantum private keys: ${files.length} read, ${paired} of them with a certificate here`)
    assert(files.length >= 30)
  },
)

describe('signed messages', { skip }, () => {
  const files = find(
    '{pqc-certificates/cms_v3/*/*_signed_attrs.der,bc-test-data/pkix/cms/mldsa/*.pem,cms-ml-dsa/examples/*.pem}',
  )
  /** HashML-DSA and HashSLH-DSA, which CMS does not use (decision 0027). */
  const isPrehash = (file: string): boolean => /-with-(?:sha|shake)\d+/.test(file)

  for (const file of files)
    test(`${file.slice(CORPORA.length + 1)} is ${isPrehash(file) ? 'not believed' : 'intact'}`, () => {
      const signedData = read(file)
      const judged = judge(signedData)
      if (isPrehash(file)) {
        assert.deepEqual(judged, [], 'a certificate whose key nobody reads')
        return
      }
      assert.deepEqual(judged, [namedAlgorithm(file)])
      if (file.startsWith(CMS)) {
        const expected = readFileSync(join(file, '../expected_plaintext.txt'))
        const content = Buffer.from(signedData.content ?? [])
        assert.deepEqual(
          content.subarray(content.length - expected.length),
          expected,
          'some put a MIME header before it',
        )
      }
      const changed = Buffer.from(signedData.content ?? [])
      changed[0] = (changed[0] ?? 0) ^ 1
      assert.deepEqual(judge({ ...signedData, content: changed }), ['wrong'])
    })

  test('there are as many as there should be', (t) => {
    const left = files.filter(isPrehash)
    t.diagnostic(
      `post-quantum signatures: ${files.length - left.length} of ${files.length} intact; ${left.length} prehashed, left out`,
    )
    assert.equal(left.length, 15)
    assert(files.length - left.length >= 50)
  })
})

function read(file: string): SignedData {
  const signedData = readSignedData(blocks(file, /CMS|PKCS7|SIGNED/)[0] ?? Buffer.alloc(0))
  assert(signedData.ok, signedData.ok ? '' : signedData.error)
  return signedData.value
}

/** One word a signer whose certificate is at hand. */
function judge(signedData: SignedData): string[] {
  const carried = signedData.certificates.flatMap((der) => {
    const parsed = parseCertificate(der)
    return parsed.ok ? [parsed.value] : []
  })
  const known = certificates.map(({ certificate }) => certificate)
  return signedData.signerInfos.flatMap((signerInfo) => {
    const signer = findSigner(signerInfo, [...carried, ...known])
    if (signer === undefined) return []
    const content = signedData.content ?? Buffer.alloc(0)
    const check = verifySigner(signedData, signerInfo, content, signer, { allowWeak: false })
    return [check.problem ?? check.algorithm]
  })
}
