/** Files with keys and certificates: no throw, little time, and a MAC that holds for nothing but what it was made for. */
import assert from 'node:assert/strict'
import {
  readCertificates,
  readPrivateKey,
  writeCertificatePem,
  writePem,
  writePrivateKeyPem,
} from '../src/protection/smime/key-files/pem.ts'
import { readPkcs12, writePkcs12 } from '../src/protection/smime/key-files/pkcs12.ts'
import { RC2_128_AND_2DES, RC2_40_AND_3DES } from '../test/support/pkcs12-samples.ts'
import { certificateDer, keyNamed } from '../test/support/x509-maker.ts'

const CPU_MAX_US = 2_000_000
const PASSWORD = 'sesame'
const key = keyNamed('user')
const certificate = certificateDer({ name: 'user' })

export function target(bytes: Uint8Array): void {
  const before = process.cpuUsage()
  const read = readPkcs12(bytes, PASSWORD, { iterationsMax: 1000 })
  if (read.ok) {
    const { keys, certificates, pairs } = read.value
    assert.ok(pairs.length <= keys.length * certificates.length)
    const [first] = pairs
    if (first !== undefined) {
      const again = writePkcs12({
        pairs: [first],
        password: PASSWORD,
        iterations: 1,
      })
      const back = readPkcs12(again, PASSWORD)
      assert.ok(back.ok && back.value.pairs[0]?.key.equals(first.key))
    }
  }
  const certificates = readCertificates(bytes)
  if (certificates.ok) assert.ok(certificates.value.every((der) => der.length <= bytes.length))
  readPrivateKey(bytes)
  assert.ok(process.cpuUsage(before).user < CPU_MAX_US, 'takes too long')
}

export function seeds(): Uint8Array[] {
  return [
    writePkcs12({ pairs: [{ key, certificate }], password: PASSWORD, iterations: 2 }),
    RC2_40_AND_3DES,
    RC2_128_AND_2DES,
    Buffer.from(writeCertificatePem(certificate) + writePrivateKeyPem(key), 'latin1'),
    Buffer.from(writePem('PKCS12', RC2_40_AND_3DES), 'latin1'),
    key.export({ type: 'pkcs8', format: 'der' }),
    Buffer.from(key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD })),
  ]
}
