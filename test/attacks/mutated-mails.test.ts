/**
 * Thousands of changes to mails of every layering, form and algorithm that we write: in bits, lines, header fields, MIME
 * parts, and elements of CMS, alone and together. (flipped-bytes.test.ts and flipped-cms.test.ts change every octet in turn.)
 */
import { test } from 'node:test'
import type { SigningChoice, WrittenCipher } from '../../src/protection/standard.ts'
import type { Layering } from '../../src/protection/wrap.ts'
import { type Subject, runMutations } from '../support/mutation-run.ts'
import { protectedMail, receive } from '../support/protected-mail.ts'
import { type IdentityKind, smimeIdentity } from '../support/smime-identity.ts'
import { ALICE, headerOf } from '../support/tampering.ts'

const SECONDS = 10
const BOB = 'bob@biglobe.example'
const BODIES = [
  'Please pay 100 yen to account 1234567.\r\n',
  '--b\r\nContent-Type: text/plain\r\n\r\nPlease pay 100 yen.\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>100 yen</b>\r\n--b--\r\n',
]

const LAYERINGS: readonly Layering[] = ['sign', 'encrypt-sign', 'sign-encrypt', 'triple']
const CIPHERS: readonly WrittenCipher[] = ['aes-256-cbc', 'aes-256-gcm', 'chacha20-poly1305', 'aes-128-cbc']
const SIGNERS: readonly [kind: IdentityKind, signing: SigningChoice][] = [
  ['p256', {}],
  ['p384', {}],
  ['rsa-2048', {}],
  ['rsa-2048', { signature: 'rsa-pss', digest: 'sha384' }],
  ['ed25519', {}],
  ['ed448', {}],
  ['brainpool256', {}],
  ['ml-dsa-44', {}],
]

function subjects(): Subject[] {
  const bob = smimeIdentity('p256', BOB)
  return LAYERINGS.flatMap((layering) =>
    SIGNERS.map(([kind, signing], index): Subject => {
      const alice = smimeIdentity(kind, ALICE)
      const headerProtection = index % 3 !== 2
      const multipart = index % 2 === 1
      const header = headerOf(ALICE, BOB, '<1@peer.example>')
      const mail = protectedMail({
        layering,
        signer: alice,
        recipients: [bob],
        header: multipart
          ? header.replace(/text\/plain; charset=us-ascii/, 'multipart/alternative; boundary=b')
          : header,
        body: BODIES[multipart ? 1 : 0] ?? '',
        encryption: { cipher: CIPHERS[index % CIPHERS.length] ?? 'aes-256-cbc' },
        signing: { ...signing, form: layering === 'sign' && index % 2 === 0 ? 'opaque' : 'detached' },
        headerProtection,
      })
      const reader = { keys: [bob], known: [{ certificate: alice.certificate, trust: 'confirmed' as const }] }
      const name = `${layering}, ${kind}, ${JSON.stringify(signing)}`
      return { name, mail, protectedHeader: headerProtection, open: (bytes) => receive(bytes, reader).report }
    }),
  )
}

test('no change is delivered as valid with other content or another signer', (t) =>
  runMutations(t, subjects(), SECONDS))
