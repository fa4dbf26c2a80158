/** CMS messages of RFC 4134, OpenSSL and NSS: what is in our range opens and verifies, the rest is refused and said why. */
import assert from 'node:assert/strict'
import { type KeyObject, createPrivateKey } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type SmimeCertificate, parseCertificate } from '../../src/protection/smime/x509/certificate.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { findSigner, readSignedData, verifySigner } from '../../src/protection/smime/cms/signed-data.ts'
import { readPkcs12 } from '../../src/protection/smime/key-files/pkcs12.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const skip = existsSync(CORPORA) ? false : 'no corpora'

const RFC4134 = join(CORPORA, 'rfc4134/rfc4134')
const OPENSSL = join(CORPORA, 'openssl-cms/test')
const NSS = join(CORPORA, 'nss-smime/tests/smime/interop-openssl')

/** PEM blocks of any label, or the file itself. */
function blocks(file: string): Buffer[] {
  const bytes = readFileSync(file)
  const text = bytes.toString('latin1')
  const found = [...text.matchAll(/-----BEGIN [A-Z0-9 ]+-----([^-]*)-----END/g)]
  return found.length === 0 ? [bytes] : found.map((match) => Buffer.from(match[1] ?? '', 'base64'))
}

function certificatesIn(files: readonly string[]): SmimeCertificate[] {
  return files.flatMap(blocks).flatMap((der) => {
    const parsed = parseCertificate(der)
    return parsed.ok ? [parsed.value] : []
  })
}

/** One word a signer: the algorithm when intact, else the kind of problem. */
function judge(bytes: Uint8Array, known: readonly SmimeCertificate[], elsewhere: Uint8Array): string {
  const signedData = readSignedData(bytes)
  if (!signedData.ok) return signedData.error
  const carried = signedData.value.certificates.flatMap((der) => {
    const parsed = parseCertificate(der)
    return parsed.ok ? [parsed.value] : []
  })
  const content = signedData.value.content ?? elsewhere
  const words = signedData.value.signerInfos.map((signerInfo) => {
    const signer = findSigner(signerInfo, [...carried, ...known])
    if (signer === undefined) return 'no certificate'
    const check = verifySigner(signedData.value, signerInfo, content, signer, { allowWeak: true })
    const strict = verifySigner(signedData.value, signerInfo, content, signer, { allowWeak: false })
    return `${check.problem ?? check.algorithm}${check.intact && !strict.intact ? ' (weak)' : ''}`
  })
  return words.join(', ')
}

describe('RFC 4134', { skip }, () => {
  const certificates = skip === false ? certificatesIn(globSync(join(RFC4134, '*.cer'))) : []
  const content = skip === false ? readFileSync(join(RFC4134, 'ExContent.bin')) : Buffer.alloc(0)
  const expected: readonly [file: string, judged: string][] = [
    ['4.1.bin', 'dsa-sha1 (weak)'],
    ['4.2.bin', 'rsa-sha1 (weak)'],
    ['4.3.bin', 'dsa-sha1 (weak)'],
    ['4.4.bin', 'dsa-sha1 (weak)'],
    ['4.5.bin', 'rsa-sha1 (weak)'],
    ['4.6.bin', 'dsa-sha1 (weak), no certificate'], // Diane's certificate inherits its DSA parameters
    ['4.7.bin', 'dsa-sha1 (weak)'],
    ['4.10.bin', 'dsa-sha1 (weak)'],
    ['4.11.bin', ''], // certificates only
  ]
  for (const [file, judged] of expected)
    test(`${file} is judged: ${judged === '' ? 'no signer' : judged}`, () => {
      assert.equal(judge(readFileSync(join(RFC4134, file)), certificates, content), judged)
    })

  test('5.1 and 5.2 open with the key of Bob; their ciphers, 3DES and RC2, are weak', () => {
    const bob = certificatesIn([join(RFC4134, 'BobRSASignByCarl.cer')])[0]
    assert(bob !== undefined)
    const der = readFileSync(join(RFC4134, 'BobPrivRSAEncrypt.pri'))
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    for (const [file, cipher] of [
      ['5.1.bin', 'des-ede3-cbc'],
      ['5.2.bin', 'rc2-40-cbc'],
    ] as const) {
      const bytes = readFileSync(join(RFC4134, file))
      const opened = openEnvelope(bytes, [{ certificate: bob, key }])
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert.deepEqual(Buffer.from(opened.content), content)
      assert.deepEqual([opened.algorithm, opened.weak, opened.authenticated], [cipher, true, false])
      assert.equal(openEnvelope(bytes, []).kind, 'no-key')
    }
  })
})

describe("OpenSSL's test data", { skip }, () => {
  const data = join(OPENSSL, 'recipes/80-test_cms_data')
  const certificates = skip === false ? certificatesIn(globSync(join(OPENSSL, 'smime-certs/*.pem'))) : []
  const content = skip === false ? readFileSync(join(OPENSSL, 'smcont.txt')) : Buffer.alloc(0)
  const signed: readonly [file: string, judged: RegExp][] = [
    ['bad_signtime_attr.cms', /^wrong$/],
    ['no_ct_attr.cms', /^wrong$/],
    ['no_md_attr.cms', /^wrong$/],
    ['ct_multiple_attr.cms', /^wrong$/],
    ['pkcs7-md4.pem', /^unsupported$/],
  ]
  for (const [file, judged] of signed)
    test(`${file} is not intact`, () => {
      assert.match(judge(blocks(join(data, file))[0] ?? Buffer.alloc(0), certificates, content), judged)
    })

  test('a message whose signer names an empty set of digests is judged, not feared', () => {
    const mail = readFileSync(join(OPENSSL, 'smime-eml/pkcs7-empty-digest-set.eml'), 'latin1')
    const encoded = /\r?\n\r?\n(MI[A-Za-z0-9+/=\r\n]+)/.exec(mail)?.[1]
    assert(encoded !== undefined)
    assert.notEqual(judge(Buffer.from(encoded, 'base64'), certificates, content), undefined)
  })

  test('malformed envelopes are refused, whoever has the key', () => {
    const names = ['rsa', 'ecdh', 'dh'].map((kind) => `${kind}-malformed.der`)
    const keys = [...privateKeys(join(OPENSSL, 'smime-certs')), ...privateKeys(data)]
    assert(keys.length > 8)
    for (const name of names) {
      const opened = openEnvelope(readFileSync(join(data, name)), keys)
      assert.notEqual(opened.kind, 'decrypted', name)
    }
    for (const file of globSync(join(OPENSSL, '{cms-msg,recipes/80-test_cmsapi_data}/*.{pem,der}')))
      assert.notEqual(openEnvelope(blocks(file)[0] ?? Buffer.alloc(0), keys).kind, 'decrypted', file)
  })
})

function privateKeys(folder: string): { certificate: SmimeCertificate; key: KeyObject }[] {
  return globSync(join(folder, '*.pem')).flatMap((file) => {
    const [certificate] = certificatesIn([file.replace('-key.pem', '-cert.pem')])
    const text = readFileSync(file, 'latin1')
    return certificate === undefined || !text.includes('PRIVATE KEY-----')
      ? []
      : [{ certificate, key: createPrivateKey(text) }]
  })
}

describe("NSS's interoperability data: OAEP and ECDH by OpenSSL", { skip }, () => {
  const keys = skip === false ? ['Fran.p12', 'Fran-ec.p12'].flatMap((file) => pairsIn(join(NSS, file))) : []
  const files = skip === false ? globSync('*.env', { cwd: NSS }).toSorted() : []
  for (const file of files)
    test(`${file} opens`, () => {
      const opened = openEnvelope(readFileSync(join(NSS, file)), keys)
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert.equal(Buffer.from(opened.content).toString('latin1').trimEnd(), 'This is a test message to Fran.')
      assert.equal(opened.weak === true, opened.algorithm === 'des-ede3-cbc')
    })
})

function pairsIn(file: string): { certificate: SmimeCertificate; key: KeyObject }[] {
  const contents = readPkcs12(readFileSync(file), 'nss')
  assert(contents.ok)
  return contents.value.pairs.map(({ certificate, key }) => {
    const parsed = parseCertificate(certificate)
    assert(parsed.ok)
    return { certificate: parsed.value, key }
  })
}
