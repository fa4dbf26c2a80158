/**
 * Key encapsulation instead of key transport (RFC 9629, RFC 9936): a changed ML-KEM ciphertext is not an error but another
 * secret (implicit rejection, FIPS 203), so that no answer tells whether it was right. A fooled program gives this away
 * again one step later, takes a ciphertext of another length, or a wrapping key of the attacker's length.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { envelopSink } from '../../src/protection/smime/cms/envelop.ts'
import { openEnvelope } from '../../src/protection/smime/cms/open-envelope.ts'
import { type Tree, readTree, writeTree } from '../support/der-tree.ts'
import { push } from '../support/push.ts'
import { type IdentityKind, smimeIdentity } from '../support/smime-identity.ts'

const CONTENT = Buffer.from('Content-Type: text/plain\r\n\r\nHello\r\n')
const BROKEN = { kind: 'broken', why: 'the message cannot be decrypted: the key or the content was changed' }
const KINDS: readonly IdentityKind[] = ['ml-kem-512', 'ml-kem-768', 'ml-kem-1024']

/** Where the fields of KEMRecipientInfo stand (RFC 9629 §3); without ukm. */
const FIELD = { kemct: 3, kekLength: 5, wrap: 6, encryptedKey: 7 } as const

function sealed(kind: IdentityKind, cipher: 'aes-256-gcm' | 'aes-256-cbc', address = 'bob@biglobe.example'): Tree {
  const { certificate } = smimeIdentity(kind, address)
  const tree = readTree(
    Buffer.from(push(CONTENT, (out) => envelopSink({ recipients: [certificate], choice: { cipher } }, out))),
  )
  assert(tree !== undefined)
  return tree
}

/** ContentInfo, [0], EnvelopedData, recipientInfos, the first, its ori value. */
function recipientOf(envelope: Tree): Tree[] {
  const fields = [1, 0, 1, 0, 1].reduce(
    (tree, index) => tree.children?.[index] ?? assert.fail('no KEMRecipientInfo'),
    envelope,
  ).children
  assert(fields?.length === 8)
  return fields
}

const open = (kind: IdentityKind, envelope: Tree) =>
  openEnvelope(writeTree(envelope), [smimeIdentity(kind, 'bob@biglobe.example')])

function changed(
  kind: IdentityKind,
  field: keyof typeof FIELD,
  change: (tree: Tree) => void,
  cipher: 'aes-256-gcm' | 'aes-256-cbc' = 'aes-256-gcm',
) {
  const envelope = sealed(kind, cipher)
  const tree = recipientOf(envelope)[FIELD[field]]
  assert(tree !== undefined)
  change(tree)
  return open(kind, envelope)
}

const flipAt =
  (at: number) =>
  (tree: Tree): void => {
    tree.content = Buffer.from(tree.content)
    tree.content[at] = (tree.content[at] ?? 0) ^ 1
  }
const cut =
  (bytes: number) =>
  (tree: Tree): void => {
    tree.content = tree.content.subarray(0, bytes)
  }
const longer = (tree: Tree): void => {
  tree.content = Buffer.concat([tree.content, Buffer.alloc(1)])
}

for (const kind of KINDS)
  describe(kind, () => {
    test('what is sealed opens', () => assert.equal(open(kind, sealed(kind, 'aes-256-gcm')).kind, 'decrypted'))

    test('a changed ciphertext, wherever, and a changed wrapped key look the same', () => {
      for (let at = 0; at < 768; at += 37) assert.deepEqual(changed(kind, 'kemct', flipAt(at)), BROKEN)
      for (let at = 0; at < 40; at++) assert.deepEqual(changed(kind, 'encryptedKey', flipAt(at)), BROKEN)
    })

    test('one of another length, or all zeros, too', () => {
      for (const change of [cut(0), cut(1), cut(767), longer]) assert.deepEqual(changed(kind, 'kemct', change), BROKEN)
      const zeros = (tree: Tree): void => void (tree.content = Buffer.alloc(tree.content.length))
      assert.deepEqual(changed(kind, 'kemct', zeros), BROKEN)
      for (const change of [cut(0), cut(8), cut(39), longer])
        assert.deepEqual(changed(kind, 'encryptedKey', change), BROKEN)
    })

    test('a wrapping key of another length than its wrap has is none', () => {
      for (const length of [0, 1, 8, 24, 33, 127])
        assert.equal(changed(kind, 'kekLength', (tree) => void (tree.content = Buffer.of(length))).kind, 'broken')
    })

    test('a ciphertext that was for somebody else opens nothing', () => {
      const [own, foreign] = [sealed(kind, 'aes-256-gcm'), sealed(kind, 'aes-256-gcm', 'carol@biglobe.example')]
      const [fields, others] = [recipientOf(own), recipientOf(foreign)]
      for (const name of ['kemct', 'encryptedKey'] as const) fields[FIELD[name]] = others[FIELD[name]] ?? assert.fail()
      assert.deepEqual(open(kind, own), BROKEN)
    })

    test('a ciphertext used twice gives the same substitute: trying again tells nothing', () => {
      const envelope = sealed(kind, 'aes-256-cbc')
      flipAt(5)(recipientOf(envelope)[FIELD.kemct] ?? assert.fail())
      assert.deepEqual(open(kind, envelope), open(kind, envelope))
    })
  })
