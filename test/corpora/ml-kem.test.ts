/** ML-KEM in KEMRecipientInfo (RFC 9629, RFC 9936) as others write it: RFC 9936's example, BouncyCastle, CryptoNext, CHT. */
import assert from 'node:assert/strict'
import { type KeyObject, createPrivateKey, createPublicKey } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { push } from '../support/push.ts'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { canEnvelopTo, envelopSink } from '../../src/protection/smime/cms/envelop.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { isSameKey } from '../../src/protection/key-object.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const skip = existsSync(CORPORA) ? false : 'no corpora'
const HACKATHON = join(CORPORA, 'pqc-certificates/cms_v3')
const EXAMPLE = join(CORPORA, 'cms-kyber/example')

function certificateIn(bytes: Uint8Array): SmimeCertificate {
  const parsed = parseCertificate(bytes)
  assert(parsed.ok, parsed.ok ? '' : parsed.error)
  return parsed.value
}

/** Of the last block in a file that may hold several, and text. */
const pemBody = (file: string): Buffer =>
  Buffer.from(/.*-----BEGIN [^-]*-----([^-]*)-----END/s.exec(readFileSync(file, 'latin1'))?.[1] ?? '', 'base64')

/** Theirs with a tag put the secret and the wrapped key into one KeyTransRecipientInfo, which no RFC knows. */
const isOwnInvention = (provider: string, file: string): boolean => provider === 'cht' && file.includes('_auth_')

interface Pair {
  readonly certificate: SmimeCertificate
  readonly key: KeyObject
}

/** Every ML-KEM pair of one provider; the private keys are there as seeds, expanded, or both. */
function pairsOf(provider: string): Pair[] {
  const certificates = globSync(join(HACKATHON, provider, '*_ee.der')).map((file) => certificateIn(readFileSync(file)))
  return globSync(join(HACKATHON, provider, '*{kem,KEM}*_priv.der')).map((file) => {
    const key = createPrivateKey({ key: readFileSync(file), format: 'der', type: 'pkcs8' })
    const certificate = certificates.find(({ publicKey }) => isSameKey(publicKey, createPublicKey(key)))
    assert(certificate !== undefined, file)
    return { certificate, key }
  })
}

describe('pqc-certificates: what providers of the IETF hackathon wrote', { skip }, () => {
  for (const provider of ['bc', 'cht', 'cryptonext']) {
    const files = skip === false ? globSync(join(HACKATHON, provider, '*_kemri*.der')).toSorted() : []
    for (const file of files.filter((each) => isOwnInvention(provider, each)))
      test(`${provider}: ${basename(file, '.der')} is refused by the name of its algorithm`, () => {
        const opened = openEnvelope(readFileSync(file), pairsOf(provider))
        assert(opened.kind === 'broken' && opened.why.startsWith('unknown key encryption algorithm 2.16.'))
      })
    for (const file of files.filter((each) => !isOwnInvention(provider, each)))
      test(`${provider}: ${basename(file, '.der')} opens`, () => {
        const opened = openEnvelope(readFileSync(file), pairsOf(provider))
        assert(opened.kind === 'decrypted', JSON.stringify(opened))
        assert.deepEqual(Buffer.from(opened.content), readFileSync(join(HACKATHON, provider, 'expected_plaintext.txt')))
        assert.equal(opened.authenticated, file.includes('_auth'))
        assert.equal(openEnvelope(readFileSync(file), []).kind, 'no-key')
      })
    test(`${provider}: all of them were there, and theirs are keys that we write to`, { skip }, () => {
      assert(files.length >= 5, `${files.length} messages`)
      const pairs = pairsOf(provider)
      assert.equal(pairs.length, 3)
      const content = Buffer.from('to a key of theirs')
      for (const pair of pairs) {
        assert(canEnvelopTo(pair.certificate))
        const options = { recipients: [pair.certificate], choice: { cipher: 'aes-256-gcm' } } as const
        const opened = openEnvelope(
          push(content, (out) => envelopSink(options, out)),
          [pair],
        )
        assert(opened.kind === 'decrypted' && content.equals(opened.content))
      }
    })
  }
})

describe("cms-kyber: the example of RFC 9936's appendix C", { skip }, () => {
  for (const form of ['seed', 'expanded', 'both'])
    test(`it opens with the ${form} form of the private key`, () => {
      const certificate = certificateIn(pemBody(join(EXAMPLE, 'ML-KEM-512.pem')))
      const key = createPrivateKey(readFileSync(join(EXAMPLE, `ML-KEM-512-${form}.priv`)))
      const opened = openEnvelope(pemBody(join(EXAMPLE, 'ML-KEM-512.cms')), [{ certificate, key }])
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert.deepEqual(Buffer.from(opened.content), readFileSync(join(EXAMPLE, 'decrypted.txt')))
    })
})

describe("bc-test-data: BouncyCastle's certificates for ML-KEM", { skip }, () => {
  for (const level of ['512', '768', '1024'])
    test(`ML-KEM-${level} is read, and can be encrypted to`, () => {
      const certificate = certificateIn(pemBody(join(CORPORA, `bc-test-data/pkix/cert/mlkem/ML-KEM-${level}.pem`)))
      assert.equal(certificate.algorithm, `ml-kem-${level}`)
      assert(canEnvelopTo(certificate))
    })
})
