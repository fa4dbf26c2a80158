/** Which of a sender's keys sign a copy, and that a mail with several signatures is what it says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bendCms, SIGNATURE } from '../../test/support/mail-surgery.ts'
import { protectedMail, receive } from '../../test/support/protected-mail.ts'
import { smimeIdentity } from '../../test/support/smime-identity.ts'
import { packCopy } from './jobs.ts'

const old = smimeIdentity('rsa-2048', 'alice@example.com')
const postQuantum = smimeIdentity('ml-dsa-65', 'alice@example.com')
const bob = smimeIdentity('p256', 'bob@example.com')

test('the first key of a sender signs, or all of them', () => {
  const how = { kind: 'wrapped', standard: 'smime', layering: 'sign', certificates: [], encryption: {} } as const
  const signersOf = (signers: 'first' | 'all' | undefined): number => {
    const signing = signers === undefined ? {} : { signers }
    const packed = packCopy({ ...how, signing, headerProtection: true }, [old, postQuantum])
    return packed.kind === 'wrapped' ? packed.signers.length : 0
  }
  assert.deepEqual([signersOf(undefined), signersOf('first'), signersOf('all')], [1, 1, 2])
})

for (const layering of ['sign', 'encrypt-sign', 'sign-encrypt', 'triple'] as const)
  test(`signed with an old and a new key (${layering}): valid for whoever knows one of them, and for nobody when changed`, () => {
    const mail = protectedMail({
      layering,
      signer: old,
      moreSigners: [postQuantum],
      recipients: [bob],
      header: 'From: alice@example.com\r\nTo: bob@example.com\r\n',
      body: 'x\r\n',
    })
    const verdictFor = (raw: Buffer, ...known: (typeof old)[]): string =>
      receive(raw, {
        keys: [bob],
        known: known.map(({ certificate }) => ({ certificate, trust: 'confirmed' as const })),
      }).report.summary.signature
    assert.equal(verdictFor(mail, old), 'valid')
    assert.equal(verdictFor(mail, postQuantum), 'valid')
    assert.equal(verdictFor(mail), 'untrusted')
    if (layering === 'sign-encrypt') return // its signature is under the encryption
    assert.match(mail.toString('latin1'), /micalg="sha-256,sha-512"/)
    for (const signer of [0, 1]) {
      // ContentInfo, its [0], SignedData, signerInfos, one of them, its signature
      const bent = bendCms(mail, SIGNATURE, [1, 0, 4, signer, 5])
      assert.equal(verdictFor(bent, old, postQuantum), 'invalid', `the signature of signer ${signer}`)
    }
  })
