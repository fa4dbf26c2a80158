/**
 * KDE's MimeTreeParser says beside its mails what a reader should see: which parts are encrypted and which are signed, one within
 * the other (`.tree`), and what is thought of the signatures (`.html`). Our Cryptographic Envelope is the unbroken run of them
 * from outside; all others are errant layers.
 */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { canonicalMail } from '../../src/cli/mail-file.ts'
import { runPeel } from '../../src/protection/jobs.ts'
import { CORPORA, everybody } from '../support/corpora.ts'
import { everybodyOfOpenpgp } from '../support/openpgp-corpora.ts'

const FOLDER = join(CORPORA, 'kde-messagelib/mimetreeparser/autotests/data')
/** When the mails were made: certificates were in their time, keys of OpenPGP have no end. */
const SMIME_AT_MS = Date.UTC(2013, 1, 1)
const OPENPGP_AT_MS = Date.UTC(2026, 10, 22)

const FROM = 'KDE does not compare the signer with From'

/** Where we see something else, what KDE sees, and why. */
const OTHERWISE: Readonly<Record<string, readonly [seen: string, kde: string, why: string]>> = {
  'inlinepgpencrypted-appendix.mbox': [
    'encrypted',
    'errant',
    'a part that was protected is a layer that is called partial',
  ],
  'inlinepgpencrypted-not-encrypted.mbox': ['', 'encrypted', 'a block with nothing in it is a text'],
  'openpgp-encoded.mbox': ['signWarn', 'encrypted signWarn', 'a signed message in armor is not encrypted'],
  'openpgp-encrypted-applemail.mbox': ['encrypted', 'errant', 'Apple’s empty text beside it does not count'],
  'openpgp-encrypted-no-text-attachment.mbox': ['', 'encrypted', 'an attachment in a multipart/mixed is not the mail'],
  'openpgp-encrypted-noData.mbox': ['encrypted', '', 'a multipart/encrypted without its parts is a broken layer'],
  'openpgp-encrypted-partially-signed-attachments.mbox': [
    'errant errant errant errant',
    'errant errant errant',
    'what is errant is not opened, and both signatures are seen',
  ],
  'openpgp-encrypted-signed-combind.mbox': ['encrypted signErr', 'encrypted signOkKeyOk', FROM],
  'openpgp-inline-charset-encrypted.mbox': ['encrypted signErr', 'encrypted signOkKeyOk', FROM],
  'openpgp-inline-encrypted-with-attachment.mbox': [
    'encrypted',
    'errant errant',
    'a text and its attachments are one layer',
  ],
  'openpgp-inline-multiple.mbox': ['encrypted errant', 'errant errant errant', 'of several blocks the first is opened'],
  'openpgp-inline-signed-not-signed.mbox': ['', 'no signature on the page', 'a block with nothing in it is a text'],
  'openpgp-inline-wrong-charset-encrypted.mbox': ['encrypted signErr', 'encrypted signOkKeyOk', FROM],
  'openpgp-signed-encrypted-two-attachments.mbox': ['encrypted signErr', 'encrypted signOkKeyOk', FROM],
  'openpgp-signed-mailinglist+additional-children.mbox': ['errant', '', 'a changed multipart/signed is counted'],
  'openpgp-signed-mailinglist+old.mbox': ['', 'errant', 'a text in a forwarded mail is not looked into'],
  'openpgp-signed-no-protocol.mbox': ['signWarn', '', 'the second part says what the protocol is'],
  'openpgp-signed-two-attachments.mbox': ['signErr', 'signOkKeyOk', FROM],
}

interface TreeNode {
  readonly kind: string
  readonly children: TreeNode[]
}

test('what KDE sees in its mails', { skip: existsSync(FOLDER) ? false : 'no corpora' }, (t) => {
  const [mail, pgp] = [everybody(), everybodyOfOpenpgp()]
  const ring = {
    ...mail,
    decryptionKeys: [...mail.decryptionKeys, ...pgp.decryptionKeys],
    known: [...mail.known, ...pgp.known],
  }
  const trees = globSync('*.mbox.tree', { cwd: FOLDER })
  assert.equal(trees.length, 54)
  const differing: Record<string, readonly [string, string]> = {}
  for (const tree of trees.toSorted()) {
    const name = tree.replace(/\.tree$/, '')
    const raw = canonicalMail(readFileSync(join(FOLDER, name)))
    const atMs = name.includes('pgp') ? OPENPGP_AT_MS : SMIME_AT_MS
    const [report] = runPeel({ kind: 'peel', raw, atMs, rings: [ring] })
    assert.ok(report)
    const layers = report.layers.map((layer) => (layer.kind === 'signed' ? (COLOURS[layer.verdict] ?? '') : layer.kind))
    const seen = [...layers, ...Array<string>(report.errant).fill('errant')].join(' ')
    const kde = expected(tree, `${name}.html`).join(' ')
    if (seen !== kde) differing[name] = [seen, kde]
  }
  t.diagnostic(
    `KDE: ${trees.length - Object.keys(differing).length} of ${trees.length} mails with the layers and signatures that KDE sees`,
  )
  const named = Object.entries(OTHERWISE).map(([name, [seen, kde]]) => [name, [seen, kde]])
  assert.deepEqual(differing, Object.fromEntries(named))
})

/** What KDE paints green, yellow and red. */
const COLOURS: Readonly<Record<string, string>> = {
  valid: 'signOkKeyOk',
  'unknown-key': 'signWarn',
  untrusted: 'signWarn',
  expired: 'signWarn',
  revoked: 'signErr',
  mismatch: 'signErr',
  invalid: 'signErr',
}

function expected(tree: string, page: string): readonly string[] {
  const colours = readFileSync(join(FOLDER, page), 'utf8').matchAll(/<table [^>]*class="(sign\w+)">/g)
  const inOrder = [...colours].map(([, colour]) => colour ?? '')
  return skeletonOf(readTree(readFileSync(join(FOLDER, tree), 'utf8'))).map((layer) =>
    layer === 'signed' ? (inOrder.shift() ?? 'no signature on the page') : layer,
  )
}

/** One line a node, as deep as it is indented. */
function readTree(text: string): TreeNode {
  const root: TreeNode = { kind: '', children: [] }
  const open = [root]
  for (const line of text.split('\n')) {
    const [, indent, kind] = /^( *)\* MimeTreeParser::(\w+)/.exec(line) ?? []
    if (indent === undefined || kind === undefined) continue
    const node: TreeNode = { kind, children: [] }
    open[indent.length - 1]?.children.push(node)
    open[indent.length] = node
  }
  return root
}

const LAYERS: Readonly<Record<string, string>> = { EncryptedMessagePart: 'encrypted', SignedMessagePart: 'signed' }

/** The layers from outside as far as each is all that there is in the one around it, and those elsewhere as errant. */
function skeletonOf(root: TreeNode): readonly string[] {
  const found: string[] = []
  let node: TreeNode | undefined = root
  let last = root
  while (node !== undefined) {
    const layer = LAYERS[node.kind]
    if (layer !== undefined) found.push(layer)
    last = node
    node = node.children.length === 1 ? node.children[0] : undefined
  }
  return [...found, ...Array<string>(countLayers(last.children)).fill('errant')]
}

function countLayers(nodes: readonly TreeNode[]): number {
  let count = 0
  for (const { kind, children } of nodes) count += (kind in LAYERS ? 1 : 0) + countLayers(children)
  return count
}
