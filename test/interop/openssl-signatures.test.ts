/** Signatures that `openssl cms` makes and we only verify, the weak ones too; and messages with several signatures, both ways. */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { type CmsSigningKey, signedDataSink } from '../../src/protection/smime/cms/sign.ts'
import { findSigner, readSignedData, verifySigner } from '../../src/protection/smime/cms/signed-data.ts'
import { needs } from '../support/apt.ts'
import { openssl } from '../support/openssl.ts'
import { push } from '../support/push.ts'
import { smimeIdentity } from '../support/smime-identity.ts'

const OPENSSL = needs('openssl', 'openssl')
const folder = mkdtempSync(join(tmpdir(), 'sealpost-signatures-'))
after(() => rmSync(folder, { recursive: true }))
const path = (name: string): string => join(folder, name)

const CONTENT = Buffer.from('Content-Type: text/plain\r\n\r\nGuten Tag, Welt! 日本\r\n')

const KEYS = {
  rsa: ['-newkey', 'rsa:2048'],
  'rsa-1024': ['-newkey', 'rsa:1024'],
  'rsa-3072': ['-newkey', 'rsa:3072'],
  'rsa-pss': ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
  p224: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1'],
  p384: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  secp256k1: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  brainpool256: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:brainpoolP256r1'],
  brainpool384: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:brainpoolP384r1'],
  brainpool512: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:brainpoolP512r1'],
} as const
type Kind = keyof typeof KEYS | 'dsa'

interface Pair extends CmsSigningKey {
  readonly options: readonly string[]
  readonly certificateFile: string
}

const pairs = new Map<Kind, Pair>()

function pairOf(kind: Kind): Pair {
  const pair = pairs.get(kind) ?? makePair(kind)
  pairs.set(kind, pair)
  return pair
}

function makePair(kind: Kind): Pair {
  const [keyFile, certificateFile] = [path(`${kind}.key`), path(`${kind}.pem`)]
  if (kind === 'dsa') {
    const bits = ['-pkeyopt', 'dsa_paramgen_bits:2048', '-pkeyopt', 'dsa_paramgen_q_bits:256']
    openssl(['genpkey', '-genparam', '-algorithm', 'DSA', ...bits, '-out', path('dsa.parameters')])
    openssl(['genpkey', '-paramfile', path('dsa.parameters'), '-out', keyFile])
  }
  const made = kind === 'dsa' ? ['-key', keyFile] : [...KEYS[kind], '-nodes', '-keyout', keyFile]
  const named = ['-subj', `/CN=${kind}`, '-addext', `subjectAltName=email:${kind}@example.com`, '-days', '30']
  openssl(['req', '-x509', ...made, ...named, '-out', certificateFile])
  const parsed = parseCertificate(openssl(['x509', '-in', certificateFile, '-outform', 'DER']))
  assert(parsed.ok, parsed.ok ? '' : parsed.error)
  const key = createPrivateKey(readFileSync(keyFile))
  const options = ['-signer', certificateFile, '-inkey', keyFile]
  return { certificate: parsed.value, chain: [], key, options, certificateFile }
}

const PSS = ['-keyopt', 'rsa_padding_mode:pss']
const rows: readonly (readonly [kind: Kind, options: readonly string[], algorithm: string, strictly: string])[] = [
  ['rsa', ['-md', 'sha1'], 'rsa-sha1', 'weak'],
  ['rsa', ['-md', 'md5'], 'rsa-md5', 'weak'],
  ['rsa', ['-md', 'sha224'], 'rsa-sha224', 'intact'],
  ['rsa', ['-md', 'sha3-256'], 'rsa-sha3-256', 'intact'],
  ['rsa', ['-md', 'sha3-512'], 'rsa-sha3-512', 'intact'],
  ['rsa', ['-md', 'sha512-256'], 'rsa-sha512-256', 'intact'],
  ['rsa-1024', [], 'rsa-sha256', 'weak'],
  ['rsa-3072', [], 'rsa-sha256', 'intact'],
  ['rsa', [...PSS, '-keyopt', 'rsa_pss_saltlen:0'], 'rsa-pss-sha256', 'intact'],
  ['rsa', [...PSS, '-keyopt', 'rsa_pss_saltlen:222'], 'rsa-pss-sha256', 'intact'],
  ['rsa', [...PSS, '-md', 'sha1'], 'rsa-pss-sha1', 'weak'],
  ['rsa', [...PSS, '-keyopt', 'rsa_mgf1_md:sha512'], 'rsa-pss-sha256', 'intact'],
  ['rsa', [...PSS, '-keyopt', 'rsa_mgf1_md:sha1'], 'rsa-pss-sha256', 'weak'],
  ['rsa-pss', PSS, 'rsa-pss-sha256', 'intact'],
  ['rsa-pss', ['-md', 'sha512', '-keyopt', 'rsa_mgf1_md:sha256'], 'rsa-pss-sha512', 'intact'],
  ['p384', ['-md', 'sha1'], 'ecdsa-sha1', 'weak'],
  ['p384', ['-md', 'sha256'], 'ecdsa-sha256', 'intact'],
  ['p224', ['-md', 'sha224'], 'ecdsa-sha224', 'intact'],
  ['brainpool256', [], 'ecdsa-sha256', 'intact'],
  ['brainpool384', ['-md', 'sha384'], 'ecdsa-sha384', 'intact'],
  ['brainpool512', ['-md', 'sha512'], 'ecdsa-sha512', 'intact'],
  ['secp256k1', [], 'unsupported', 'unsupported'],
  ['dsa', [], 'dsa-sha256', 'weak'],
]

const SIGN = ['cms', '-sign', '-binary', '-outform', 'DER', '-nodetach']

/** A word a signer: `intact`, or the kind of problem; and the algorithm, or again the problem. */
function judge(bytes: Uint8Array, certificates: readonly SmimeCertificate[], allowWeak: boolean): string[][] {
  const signedData = readSignedData(bytes)
  assert(signedData.ok, signedData.ok ? '' : signedData.error)
  const { signerInfos, content } = signedData.value
  return signerInfos.map((signerInfo) => {
    const signer = findSigner(signerInfo, certificates)
    assert(signer !== undefined && content !== undefined)
    const check = verifySigner(signedData.value, signerInfo, content, signer, { allowWeak })
    return check.problem === undefined ? ['intact', check.algorithm] : [check.problem, check.problem]
  })
}

for (const [kind, options, algorithm, strictly] of rows)
  test(`openssl's ${kind} ${options.join(' ')} is ${strictly}`, OPENSSL, () => {
    const pair = pairOf(kind)
    for (const attributes of [[], ['-noattr']]) {
      const signed = openssl([...SIGN, ...pair.options, ...options, ...attributes], CONTENT)
      assert.equal(judge(signed, [pair.certificate], false)[0]?.[0], strictly)
      assert.equal(judge(signed, [pair.certificate], true)[0]?.[1], algorithm)
      const at = signed.indexOf(CONTENT) + 40
      signed[at] = (signed[at] ?? 0) ^ 1
      assert.notEqual(judge(signed, [pair.certificate], true)[0]?.[0], 'intact')
    }
  })

test('three signatures by openssl are each judged', OPENSSL, () => {
  const three = [pairOf('rsa'), pairOf('p384'), pairOf('dsa')]
  const signed = openssl([...SIGN, ...three.flatMap(({ options }) => options)], CONTENT)
  const certificates = three.map(({ certificate }) => certificate)
  const judged = judge(signed, certificates, false).map((each) => each.join(' '))
  assert.deepEqual(judged.toSorted(), ['intact ecdsa-sha256', 'intact rsa-sha256', 'weak weak'])
})

test(
  'openssl verifies our two signatures where it knows both; of one that it does not know the mail is wrong to it',
  OPENSSL,
  () => {
    const known = [pairOf('rsa'), pairOf('p384')]
    writeFileSync(
      path('both.pem'),
      known.map(({ certificateFile }) => readFileSync(certificateFile, 'latin1')).join(''),
    )
    const verify = ['cms', '-verify', '-binary', '-inform', 'DER', '-CAfile', path('both.pem'), '-purpose', 'any']
    const signed = (keys: readonly CmsSigningKey[]): Uint8Array => {
      const options = { keys, detached: false, choice: {}, signingTimeMs: Date.now() }
      return push(CONTENT, (out) => signedDataSink(options, out))
    }
    assert.deepEqual(openssl(verify, signed(known)), CONTENT)
    // OpenSSL 3.0 has no ML-DSA: this is why `policy.signers` is `first` by default (decision 0028)
    const hybrid = signed([...known, smimeIdentity('ml-dsa-65')])
    if (openssl(['version']).toString().startsWith('OpenSSL 3.0')) assert.throws(() => openssl(verify, hybrid))
    const certificates = [...known.map(({ certificate }) => certificate), smimeIdentity('ml-dsa-65').certificate]
    const words = judge(hybrid, certificates, false).map(([word]) => word)
    assert.deepEqual(words, ['intact', 'intact', 'intact'])
  },
)
