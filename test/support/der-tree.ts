/** BER as a tree that can be changed and written again, with lengths that fit. Forgiving: it is an attacker's tool. */
import { derHeader } from '../../src/protection/smime/asn1/der-writer.ts'
import { CONSTRUCTED, TAG } from '../../src/protection/smime/asn1/tlv.ts'

export interface Tree {
  tag: number
  /** Of a primitive element. */
  content: Buffer
  children: Tree[] | undefined
  /** Written with an indefinite length. */
  indefinite?: boolean
}

const DEPTH_MAX = 40

/** Definite lengths only, as honest programs write small structures; `undefined` when it is something else. */
export function readTree(bytes: Buffer): Tree | undefined {
  const all = readAll(bytes, 0)
  return all?.length === 1 ? all[0] : undefined
}

function readAll(bytes: Buffer, depth: number): Tree[] | undefined {
  const trees: Tree[] = []
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0
    const first = bytes[at + 1]
    if (first === undefined || depth > DEPTH_MAX) return undefined
    const octets = first < 0x80 ? 0 : first & 0x7f
    if (first === 0x80 || octets > 4 || at + 2 + octets > bytes.length) return undefined
    const length = octets === 0 ? first : bytes.readUIntBE(at + 2, octets)
    const start = at + 2 + octets
    if (start + length > bytes.length) return undefined
    const content = bytes.subarray(start, start + length)
    const children = (tag & CONSTRUCTED) === 0 ? undefined : readAll(content, depth + 1)
    trees.push({ tag, content, children })
    at = start + length
  }
  return trees
}

export function writeTree({ tag, content, children, indefinite }: Tree): Buffer {
  const inner = children === undefined ? content : Buffer.concat(children.map(writeTree))
  if (indefinite === true && children !== undefined)
    return Buffer.concat([Uint8Array.of(tag, 0x80), inner, Uint8Array.of(0, 0)])
  return Buffer.concat([derHeader(tag, inner.length), inner])
}

interface Place {
  readonly siblings: Tree[]
  readonly index: number
  readonly tree: Tree
}

function placesOf(root: Tree): Place[] {
  const places: Place[] = []
  const waiting = [root]
  for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop())
    for (const [index, tree] of (parent.children ?? []).entries()) {
      places.push({ siblings: parent.children ?? [], index, tree })
      waiting.push(tree)
    }
  return places
}

const copyOf = (tree: Tree): Tree => ({ ...tree, children: tree.children?.map(copyOf) })

type TreeEdit = (place: Place, what: number, donor: Tree) => void

export const EDITS: readonly TreeEdit[] = [
  ({ siblings, index }) => siblings.splice(index, 1),
  ({ siblings, index, tree }) => siblings.splice(index, 0, copyOf(tree)),
  ({ siblings, index, tree }, what) => {
    const other = what % siblings.length
    siblings[index] = siblings[other] ?? tree
    siblings[other] = tree
  },
  ({ siblings, index, tree }, what, donor) => {
    const foreign = placesOf(donor)
    const fitting = foreign.filter((place) => place.tree.tag === tree.tag)
    const from = fitting.length > 0 ? fitting : foreign
    siblings[index] = copyOf(from[what % Math.max(1, from.length)]?.tree ?? tree)
  },
  ({ siblings, index }, what, donor) => {
    const foreign = placesOf(donor)
    siblings.splice(index, 0, copyOf(foreign[what % Math.max(1, foreign.length)]?.tree ?? donor))
  },
  ({ tree }, what) => {
    tree.tag = [TAG.SEQUENCE, TAG.SET, TAG.OCTET_STRING, 0xa0, 0xa1, 0x80, TAG.NULL, tree.tag ^ 1][what % 8] ?? tree.tag
  },
  ({ tree }, what) => {
    if (tree.children !== undefined || tree.content.length === 0) tree.indefinite = tree.children !== undefined
    else {
      tree.content = Buffer.from(tree.content)
      const at = what % tree.content.length
      tree.content[at] = (tree.content[at] ?? 0) ^ (1 << (what & 7))
    }
  },
  ({ tree }) => {
    tree.content = Buffer.alloc(0)
    tree.children &&= []
  },
  ({ tree }) => {
    tree.content = Buffer.concat([Uint8Array.of(0), tree.content])
  },
  // an OCTET STRING in two pieces: the same octets
  ({ tree }) => {
    if (tree.children !== undefined) return
    const half = tree.content.length >> 1
    const piece = (content: Buffer): Tree => ({ tag: TAG.OCTET_STRING, content, children: undefined })
    tree.children = [piece(tree.content.subarray(0, half)), piece(tree.content.subarray(half))]
    tree.tag |= CONSTRUCTED
  },
  ({ siblings, index, tree }) => {
    siblings[index] = { tag: TAG.SEQUENCE, content: Buffer.alloc(0), children: [tree] }
  },
  ({ siblings, index, tree }) => {
    if (tree.children !== undefined) siblings.splice(index, 1, ...tree.children)
  },
]

/** Changes one element somewhere below `root`. */
export function editTree(root: Tree, at: number, what: number, donor: Tree): void {
  const places = placesOf(root)
  const place = places[at % Math.max(1, places.length)]
  if (place !== undefined) EDITS[what % EDITS.length]?.(place, Math.floor(what / EDITS.length), donor)
}
