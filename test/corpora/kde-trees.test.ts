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

const FOLDER = join(CORPORA, 'kde-messagelib/mimetreeparser/autotests/data')
const AT_MS = Date.UTC(2013, 1, 1) // when the mails were made, and the certificates were in their time

interface TreeNode {
  readonly kind: string
  readonly children: TreeNode[]
}

test('what KDE sees in its mails', { skip: existsSync(FOLDER) ? false : 'no corpora' }, (t) => {
  const ring = everybody()
  const trees = globSync('*.mbox.tree', { cwd: FOLDER }).filter((name) => !name.includes('pgp'))
  assert.equal(trees.length, 16)
  for (const tree of trees.toSorted()) {
    const mail = tree.replace(/\.tree$/, '')
    const raw = canonicalMail(readFileSync(join(FOLDER, mail)))
    const [report] = runPeel({ kind: 'peel', raw, atMs: AT_MS, rings: [ring] })
    assert.ok(report)
    const seen = report.layers.map((layer) => (layer.kind === 'signed' ? (COLOURS[layer.verdict] ?? '') : layer.kind))
    const errant = Array<string>(report.errant).fill('errant')
    assert.deepEqual([...seen, ...errant], expected(tree, `${mail}.html`), mail)
  }
  t.diagnostic(`KDE: ${trees.length} of ${trees.length} mails with the layers and signatures that KDE sees`)
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
