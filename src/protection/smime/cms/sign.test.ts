import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { push } from '../../../../test/support/push.ts'
import { type IdentityKind, smimeIdentity } from '../../../../test/support/smime-identity.ts'
import type { SigningChoice } from '../../standard.ts'
import { parseDer } from '../asn1/der-reader.ts'
import { PIECE_BYTES, WHOLE_MAX_BYTES } from './chunked-content.ts'
import { readContentInfo } from './content-info.ts'
import { micalgOf, signedDataSink } from './sign.ts'
import { findSigner, readSignedData, verifySigner } from './signed-data.ts'

const signingTimeMs = Date.UTC(2026, 10, 22, 12)
const STRICT = { allowWeak: false }

const rows: readonly [kind: IdentityKind, choice: SigningChoice, algorithm: string, micalg: string][] = [
  ['rsa-2048', {}, 'rsa-sha256', 'sha-256'],
  ['rsa-2048', { digest: 'sha384' }, 'rsa-sha384', 'sha-384'],
  ['rsa-2048', { digest: 'sha512' }, 'rsa-sha512', 'sha-512'],
  ['rsa-2048', { signature: 'rsa-pss' }, 'rsa-pss-sha256', 'sha-256'],
  ['rsa-2048', { signature: 'rsa-pss', digest: 'sha512' }, 'rsa-pss-sha512', 'sha-512'],
  ['p256', {}, 'ecdsa-sha256', 'sha-256'],
  ['p384', {}, 'ecdsa-sha384', 'sha-384'],
  ['p521', {}, 'ecdsa-sha512', 'sha-512'],
  ['p256', { digest: 'sha512', signature: 'rsa-pss' }, 'ecdsa-sha512', 'sha-512'],
  ['ed25519', {}, 'ed25519', 'sha-512'],
  ['ed25519', { digest: 'sha256' }, 'ed25519', 'sha-512'],
  ['p384', { digest: 'sha256' }, 'ecdsa-sha384', 'sha-384'],
  ['brainpool256', {}, 'ecdsa-sha256', 'sha-256'],
  ['ed448', {}, 'ed448', 'unknown'],
  ['ml-dsa-44', {}, 'ml-dsa-44', 'sha-512'],
  ['ml-dsa-65', { digest: 'sha256' }, 'ml-dsa-65', 'sha-512'],
  ['ml-dsa-87', {}, 'ml-dsa-87', 'sha-512'],
]
const smallContents = [0, 1, 15, 16, 17, 5000].map((size) => randomBytes(size))
const largeContents = [WHOLE_MAX_BYTES, WHOLE_MAX_BYTES + 1, 3_000_000].map((size) => randomBytes(size))

for (const [kind, choice, algorithm, micalg] of rows)
  test(`${algorithm} with ${kind}: what is signed verifies, of any size, in any chunks`, () => {
    const { certificate, key, chain } = smimeIdentity(kind)
    assert.equal(micalgOf([{ certificate }], choice), micalg)
    for (const content of kind === 'p256' ? [...smallContents, ...largeContents] : smallContents)
      for (const detached of [true, false])
        for (const chunkBytes of content.length > 5000 ? [65_536, 100_000] : [7, 5000]) {
          const options = { keys: [{ certificate, key, chain }], detached, choice, signingTimeMs }
          const bytes = push(content, (out) => signedDataSink(options, out), chunkBytes)
          const isDer = parseDer(bytes).ok
          assert.equal(isDer, detached || content.length <= WHOLE_MAX_BYTES, 'DER while it fits into memory')
          assert.equal(readContentInfo(bytes).ok, true)
          const signedData = readSignedData(bytes)
          assert(signedData.ok)
          assert.equal(signedData.value.detached, detached)
          if (!detached) assert(Buffer.from(content).equals(signedData.value.content ?? Buffer.from('none')))
          assert.deepEqual(signedData.value.certificates.map(Buffer.from), [Buffer.from(certificate.encoded)])
          const [signerInfo, more] = signedData.value.signerInfos
          assert(signerInfo !== undefined && more === undefined)
          assert.equal(
            findSigner(signerInfo, [smimeIdentity('p256', 'x@example.com').certificate, certificate]),
            certificate,
          )
          const check = verifySigner(signedData.value, signerInfo, content, certificate, STRICT)
          const { states, ...rest } = check
          assert.deepEqual(rest, { intact: true, algorithm, signingTimeMs })
          assert.equal(states?.ciphers[0], 'aes-256-gcm', 'and says what we read')
        }
  })

test('the micalg of several signatures names each digest once', () => {
  const keys = ['rsa-2048', 'p256', 'ml-dsa-65', 'ed25519'].map((kind) => smimeIdentity(kind as IdentityKind))
  assert.equal(micalgOf(keys, {}), 'sha-256,sha-512')
})

test('several signers of different kinds sign one content', () => {
  const identities = [smimeIdentity('rsa-2048'), smimeIdentity('p384'), smimeIdentity('ed25519')]
  const content = Buffer.from('one for all')
  const options = { keys: identities, detached: false, choice: {}, signingTimeMs }
  const signedData = readSignedData(push(content, (out) => signedDataSink(options, out)))
  assert(signedData.ok)
  assert.equal(signedData.value.certificates.length, 3)
  const algorithms = signedData.value.signerInfos.map((signerInfo) => {
    const certificate = findSigner(
      signerInfo,
      identities.map((identity) => identity.certificate),
    )
    assert(certificate !== undefined)
    const check = verifySigner(signedData.value, signerInfo, content, certificate, STRICT)
    assert(check.intact)
    return check.algorithm
  })
  assert.deepEqual(algorithms.toSorted(), ['ecdsa-sha384', 'ed25519', 'rsa-sha256'])
})

test('the chain goes out with the signature, each certificate once', () => {
  const [identity, authority] = [smimeIdentity('p256'), smimeIdentity('p384')]
  const keys = [{ ...identity, chain: [authority.certificate, identity.certificate] }]
  const options = { keys, detached: true, choice: {}, signingTimeMs }
  const signedData = readSignedData(push(Buffer.from('x'), (out) => signedDataSink(options, out)))
  assert(signedData.ok)
  assert.equal(signedData.value.certificates.length, 2)
})

test('long content streams: what was written is out before the end, in pieces of one size', () => {
  let writtenBytes = 0
  let ended = false
  const out = { write: (chunk: Uint8Array) => void (writtenBytes += chunk.length), end: () => void (ended = true) }
  const options = { keys: [smimeIdentity('p256')], detached: false, choice: {}, signingTimeMs }
  const sink = signedDataSink(options, out)
  const chunk = new Uint8Array(10_000)
  for (let pushedBytes = 0; pushedBytes < 20 * WHOLE_MAX_BYTES;) {
    sink.write(chunk)
    pushedBytes += chunk.length
    const heldBytes = pushedBytes - writtenBytes
    assert(heldBytes <= (writtenBytes === 0 ? WHOLE_MAX_BYTES : PIECE_BYTES), `${heldBytes} bytes held back`)
  }
  assert.equal(ended, false)
  sink.end()
  assert.equal(ended, true)
})

test('a key that cannot sign is our own mistake', () => {
  assert.throws(() => signedDataSink({ keys: [], detached: true, choice: {}, signingTimeMs }, { write() {}, end() {} }))
})
