/**
 * Every byte of the CMS structures of a protected mail, changed one at a time: signer identifier, attributes, algorithm
 * identifiers, certificate, signature value; recipient information, IV, ciphertext, tag. (flipped-bytes.test.ts changes
 * the mail around them.)
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '../../src/message/part.ts'
import { parsePart } from '../../src/message/parse.ts'
import { parseBer } from '../../src/protection/smime/asn1/ber-reader.ts'
import type { Node } from '../../src/protection/smime/asn1/der-reader.ts'
import type { EncryptionChoice, SigningChoice } from '../../src/protection/standard.ts'
import {
  type Received,
  type Reader,
  cmsOf,
  protectedMail,
  receiveInMemory,
  withByte,
  withCms,
} from '../support/protected-mail.ts'
import { type IdentityKind, smimeIdentity } from '../support/smime-identity.ts'

type Outcome = Received['outcome']
const REFUSED: readonly Outcome[] = ['refused 5.7.7']
const ANY_BUT_CHANGED: readonly Outcome[] = ['refused 5.7.7', 'not verified', 'valid']

const HEADER = 'From: alice@example.com\r\nTo: bob@example.com\r\nSubject: x\r\nContent-Type: text/plain\r\n'
const BODY = 'Please pay 100 yen to account 1234567.\r\n'
const MASKS = [0x01, 0x80, 0xff]

/** Names of SignedData's fields (RFC 5652 §5.1, §5.3) by the way to them, and what may become of a change there. */
const SIGNED: readonly [name: string, path: readonly number[], allowed: readonly Outcome[]][] = [
  // covered by no signature, and read by nobody: each SignerInfo says the same again
  ['version', [1, 0, 0], ANY_BUT_CHANGED],
  ['digestAlgorithms', [1, 0, 1], ANY_BUT_CHANGED],
  ['encapContentInfo', [1, 0, 2], REFUSED],
  ['certificate', [1, 0, 3, 0], REFUSED],
  ['signer version', [1, 0, 4, 0, 0], ANY_BUT_CHANGED],
  ['sid', [1, 0, 4, 0, 1], REFUSED],
  ['digestAlgorithm', [1, 0, 4, 0, 2], REFUSED],
  ['signedAttrs', [1, 0, 4, 0, 3], REFUSED],
  ['signatureAlgorithm', [1, 0, 4, 0, 4], REFUSED],
  ['signature', [1, 0, 4, 0, 5], REFUSED],
]

/** EnvelopedData and AuthEnvelopedData (RFC 5652 §6.1, RFC 5083 §2.1); one recipient. */
const ENVELOPED: readonly [name: string, path: readonly number[], allowed: readonly Outcome[]][] = [
  ['version', [1, 0, 0], ANY_BUT_CHANGED],
  ['recipient information', [1, 0, 1], ANY_BUT_CHANGED],
  ['content type', [1, 0, 2, 0], ANY_BUT_CHANGED],
  ['algorithm and IV', [1, 0, 2, 1], ANY_BUT_CHANGED],
  ['ciphertext', [1, 0, 2, 2], ANY_BUT_CHANGED],
]
/** With an authenticated cipher nothing of the content can be changed, not even into something unsigned. */
const AUTHENTICATED: typeof ENVELOPED = [
  ...ENVELOPED.slice(0, 3),
  ['algorithm, IV', [1, 0, 2, 1], REFUSED],
  ['ciphertext', [1, 0, 2, 2], REFUSED],
  ['tag', [1, 0, 3], REFUSED],
]

function nodeAt(cms: Buffer, path: readonly number[]): Node {
  const parsed = parseBer(cms)
  assert(parsed.ok)
  return path.reduce((node, index) => {
    const child = node.children[index]
    assert(child !== undefined, `no ${path.join('.')}`)
    return child
  }, parsed.value)
}

interface Region {
  readonly name: string
  readonly allowed: readonly Outcome[]
}

/** Tags and lengths around the fields may break, or mean the same. */
const FRAME: Region = { name: 'frame', allowed: ANY_BUT_CHANGED }

/** By offset: the field and what is allowed there. */
function regionsOf(cms: Buffer, fields: typeof SIGNED): Region[] {
  const regions = Array.from({ length: cms.length }, () => FRAME)
  for (const [name, path, allowed] of fields) {
    const { raw } = nodeAt(cms, path)
    const start = raw.byteOffset - cms.byteOffset
    assert.deepEqual(cms.subarray(start, start + raw.length), Buffer.from(raw)) // a view, not a copy
    for (let at = start; at < start + raw.length; at++) regions[at] = { name, allowed }
    // another tag makes it something else than a certificate, which is as good as none
    if (name === 'certificate') regions[start] = FRAME
  }
  return regions
}

interface Row {
  readonly why: string
  readonly layering: 'sign' | 'encrypt-sign' | 'sign-encrypt'
  readonly kind: IdentityKind
  readonly type: string
  readonly fields: typeof SIGNED
  readonly signing?: SigningChoice
  readonly encryption?: EncryptionChoice
  readonly stride: number
}

const PSS: SigningChoice = { signature: 'rsa-pss', digest: 'sha384' }
const GCM: EncryptionChoice = { cipher: 'aes-256-gcm', keyTransport: 'rsa-oaep' }
const ENVELOPE = { layering: 'sign-encrypt', type: 'application/pkcs7-mime' } as const
const ROWS: readonly Row[] = [
  {
    why: 'signature, P-256',
    layering: 'sign',
    kind: 'p256',
    type: 'application/pkcs7-signature',
    fields: SIGNED,
    stride: 1,
  },
  {
    why: 'signature, RSA',
    layering: 'encrypt-sign',
    kind: 'rsa-2048',
    type: 'application/pkcs7-signature',
    fields: SIGNED,
    stride: 1,
  },
  {
    why: 'signature, PSS',
    layering: 'sign',
    kind: 'rsa-2048',
    type: 'application/pkcs7-signature',
    fields: SIGNED,
    signing: PSS,
    stride: 1,
  },
  {
    why: 'signature, Ed25519',
    layering: 'sign',
    kind: 'ed25519',
    type: 'application/pkcs7-signature',
    fields: SIGNED,
    stride: 1,
  },
  {
    why: 'opaque, P-256',
    layering: 'sign',
    kind: 'p256',
    type: 'application/pkcs7-mime',
    fields: SIGNED,
    signing: { form: 'opaque' },
    stride: 1,
  },
  { ...ENVELOPE, why: 'CBC, ECDH', kind: 'p256', fields: ENVELOPED, stride: 1 },
  { ...ENVELOPE, why: 'GCM, ECDH', kind: 'p256', fields: AUTHENTICATED, encryption: GCM, stride: 1 },
  { ...ENVELOPE, why: 'CBC, RSA', kind: 'rsa-2048', fields: ENVELOPED, stride: 3 },
  { ...ENVELOPE, why: 'GCM, OAEP', kind: 'rsa-2048', fields: AUTHENTICATED, encryption: GCM, stride: 3 },
]

for (const { why, layering, kind, type, fields, signing, encryption, stride } of ROWS)
  test(`${layering}, ${why}: no changed byte is delivered as valid`, (t) => {
    const alice = smimeIdentity(kind, 'alice@example.com')
    const bob = smimeIdentity(kind === 'ed25519' ? 'p256' : kind, 'bob@example.com')
    const order = { layering, signer: alice, recipients: [bob], header: HEADER, body: BODY }
    const mail = protectedMail({ ...order, signing: signing ?? {}, encryption: encryption ?? {} })
    const reader: Reader = { keys: [bob], known: [{ certificate: alice.certificate, trust: 'confirmed' }] }
    const untouched = receiveInMemory(mail, reader)
    assert.equal(untouched.outcome, 'valid', untouched.report.summary.reason ?? '')
    const cms = cmsOf(mail, type)
    assert.equal(receiveInMemory(withCms(mail, type, cms), reader).outcome, 'valid')
    const regions = regionsOf(cms, fields)
    const tally = new Map<string, number>()
    for (let at = 0; at < cms.length; at += stride) {
      const mask = MASKS[at % MASKS.length] ?? 1
      const flipped = withCms(
        mail,
        type,
        withByte(cms, at, (byte) => byte ^ mask),
      )
      const { outcome, report } = receiveInMemory(flipped, reader)
      const { name, allowed } = regions[at] ?? FRAME
      const what = `byte ${at} ^ ${mask} (${name}): ${outcome}, ${report.summary.reason ?? ''}`
      assert(allowed.includes(outcome), what)
      if (outcome === 'valid') {
        assert.equal(Buffer.from(bodyOf(parsePart(report.message ?? new Uint8Array()))).toString(), BODY, what)
        assert.equal(report.summary.signer, 'alice@example.com', what)
      }
      tally.set(`${name}: ${outcome}`, (tally.get(`${name}: ${outcome}`) ?? 0) + 1)
    }
    for (const [what, count] of tally) t.diagnostic(`${what} ${count}`)
  })
