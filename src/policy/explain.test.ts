/** One verdict for the whole mail (RFC 9787 §4.6): which of several layers and signers speaks, and what is said beside it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  SECRET,
  alice,
  alicesEntity,
  bob,
  clearSigned,
  headerFrom,
  mailFrom,
  mallory,
  multipart,
  receivedByBob,
} from '../../test/support/attack.ts'
import { signedAnew } from '../../test/support/mail-surgery.ts'
import { SIGNED_AT_MS, protectedMail } from '../../test/support/protected-mail.ts'
import { push } from '../../test/support/push.ts'
import type { SmimeIdentity } from '../../test/support/smime-identity.ts'
import { ALICE } from '../../test/support/tampering.ts'
import { explainToReader } from './explain.ts'
import { signedDataSink } from '../protection/smime/cms/sign.ts'
import { type LayerReport, summarise } from '../protection/summary.ts'
import type { SignatureVerdict } from '../protection/standard.ts'

const TEXT = `Content-Type: text/plain\r\n\r\n${SECRET}\r\n`

const signedBy = (signer: SmimeIdentity, entity: string, boundary: string): string => {
  const options = { keys: [signer], detached: true, choice: {}, signingTimeMs: SIGNED_AT_MS }
  const cms = push(Buffer.from(entity, 'latin1'), (out) => signedDataSink(options, out))
  return clearSigned(entity, cms, boundary)
}

const triple = protectedMail({
  layering: 'triple',
  signer: alice,
  recipients: [bob],
  header: headerFrom(ALICE),
  body: `${SECRET}\r\n`,
})

const mails: readonly [mail: Buffer, verdict: SignatureVerdict, says: RegExp, why: string][] = [
  [triple, 'valid', /^Encrypted on the way\. Signature valid: written by alice@peer\.example/, 'triple wrapped'],
  [signedAnew(triple, mallory), 'mismatch', /^Warning: signed by mallory@/, 'triple wrapped, another one outside'],
  [
    mailFrom(ALICE, signedBy(mallory, signedBy(alice, TEXT, 'in'), 'out')),
    'mismatch',
    /signed by mallory/,
    'signed twice, by another outside',
  ],
  [
    mailFrom(ALICE, signedBy(alice, signedBy(mallory, TEXT, 'in'), 'out')),
    'mismatch',
    /signed by mallory/,
    'signed twice, by another inside',
  ],
  [mailFrom(ALICE, signedBy(alice, signedBy(alice, TEXT, 'in'), 'out')), 'valid', /Signature valid/, 'signed twice'],
  [
    mailFrom(ALICE, alicesEntity('encrypt')),
    'none',
    /^Encrypted on the way, not signed: nobody vouches for the sender/,
    'encrypted, not signed',
  ],
  [
    mailFrom(ALICE, multipart('mixed', [signedBy(alice, TEXT, 'in'), 'Content-Type: text/plain\r\n\r\n-- the list'])),
    'none',
    /^Not protected \(signed part inside changed mail/,
    'a footer that a list has put around it',
  ],
  [
    mailFrom(ALICE, multipart('mixed', [alicesEntity('encrypt')])),
    'none',
    /^Not protected \(encrypted part inside unprotected mail: it was left closed\)\.$/,
    'a ciphertext in a mail that nobody protected',
  ],
  [
    mailFrom(ALICE, signedBy(alice, multipart('mixed', [TEXT, signedBy(mallory, TEXT, 'in')]), 'out')),
    'valid',
    /^Not encrypted on the way\. Signature valid: .*Inside are parts with protection of their own, which was not looked at/,
    'a mail of somebody else, passed on under a signature',
  ],
  [mailFrom(ALICE, TEXT), 'none', /^Not protected\.$/, 'nothing at all'],
]
for (const [mail, verdict, says, why] of mails)
  test(`${verdict}: ${why}`, () => {
    const { report, decision } = receivedByBob(mail)
    assert.equal(report.summary.signature, verdict)
    assert.match(explainToReader(report.summary, decision), says)
  })

test('the worst of several signatures speaks, and a broken cipher before all of them', () => {
  const layer = (verdict: LayerReport['verdict'], kind: LayerReport['kind'] = 'signed'): LayerReport => ({
    kind,
    standard: 'smime',
    form: 'f',
    algorithm: 'a',
    verdict,
    why: verdict,
  })
  const found = { shown: [], header: undefined, conflict: undefined, errant: [] }
  const order: readonly SignatureVerdict[] = [
    'valid',
    'expired',
    'untrusted',
    'unknown-key',
    'mismatch',
    'revoked',
    'invalid',
  ]
  for (const [index, better] of order.entries())
    for (const worse of order.slice(index))
      for (const layers of [
        [better, worse],
        [worse, better],
      ])
        assert.equal(
          summarise(
            layers.map((verdict) => layer(verdict)),
            found,
          ).signature,
          worse,
        )
  const broken = summarise([layer('valid'), layer('broken', 'encrypted')], found)
  assert.deepEqual([broken.signature, broken.reason], ['invalid', 'broken'])
  for (const verdict of order) {
    const { signature } = summarise([layer(verdict)], { ...found, conflict: 'another author inside' })
    assert.equal(signature, verdict === 'invalid' || verdict === 'revoked' ? verdict : 'mismatch')
  }
})
