/**
 * A program that knows CMS, but is no mail reader: whoever uses it opens a mail one layer after the other, and makes one
 * in the same way.
 */
import { appendFileSync } from 'node:fs'
import type { KeyKind } from './correspondent.ts'
import { BODY, type Case, LAYERS, type Layering, SUBJECT, type Form, type Cipher } from './correspondent-cases.ts'

/** A MIME entity, or what the program said against it. */
export type Outcome = { readonly entity: Buffer } | { readonly problem: string }

export interface PeerTool {
  /** For the table; with the version. */
  readonly name: string
  verify(entity: Buffer): Promise<Outcome>
  decrypt(entity: Buffer, key: KeyKind): Promise<Outcome>
  sign(entity: Buffer, key: KeyKind, form: Form): Promise<Buffer>
  /** For our user with that key. */
  encrypt(entity: Buffer, to: KeyKind, cipher: Cipher): Promise<Buffer>
}

export interface View {
  /** The layers that were opened, outermost first. */
  readonly layers: readonly ('signed' | 'encrypted')[]
  /** What is inside of them all. */
  readonly payload: string | undefined
  readonly problem: string | undefined
}

const LAYERS_MAX = 4

/** Opens whatever layers there are, until something is no layer or the program refuses. */
export async function openWith(tool: PeerTool, mail: Buffer, key: KeyKind): Promise<View> {
  const layers: ('signed' | 'encrypted')[] = []
  let entity = mail
  while (layers.length < LAYERS_MAX) {
    const kind = layerOf(entity)
    if (kind === undefined) break
    const outcome = kind === 'signed' ? await tool.verify(entity) : await tool.decrypt(entity, key)
    if ('problem' in outcome) return { layers, payload: undefined, problem: outcome.problem }
    layers.push(kind)
    entity = outcome.entity
  }
  return { layers, payload: entity.toString('utf8'), problem: undefined }
}

export function contentTypeOf(entity: Buffer): string {
  const text = entity.toString('latin1')
  const header = text.slice(0, /\r?\n\r?\n/.exec(text)?.index).replaceAll(/\r?\n[ \t]+/g, ' ')
  return /^content-type: *(.*)$/im.exec(header)?.[1]?.trim() ?? 'text/plain'
}

/** Line ends as they are signed (RFC 8551 §3.1.1). */
export const canonical = (entity: Buffer): Buffer =>
  Buffer.from(entity.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')

function layerOf(entity: Buffer): 'signed' | 'encrypted' | undefined {
  const type = contentTypeOf(entity).toLowerCase()
  if (type.startsWith('multipart/signed')) return 'signed'
  if (!/^application\/(?:x-)?pkcs7-mime/.test(type)) return undefined
  return type.includes('signed-data') ? 'signed' : 'encrypted'
}

/** From the content outwards; CRLF line ends. */
export async function protectWith(tool: PeerTool, content: Buffer, how: Case): Promise<Buffer> {
  let entity = content
  for (const layer of LAYERS[how.layering].toReversed())
    entity =
      layer === 'signed' ? await tool.sign(entity, how.from, how.form) : await tool.encrypt(entity, how.to, how.cipher)
  return canonical(entity)
}

/** What the reader sees of our header protection in an opened payload, whose body has to be the author's. */
export function shownOf(payload: string): string {
  const at = payload.indexOf('\r\n\r\n')
  const text = payload.slice(at + 4)
  const isRepeated = text === `Subject: ${SUBJECT}\r\n\r\n${BODY}` // Legacy Display (RFC 9788 §5.2)
  if (text !== BODY && !isRepeated) throw new Error(`another body than the author's: ${JSON.stringify(payload)}`)
  const header = payload.slice(0, at).includes(`\r\nSubject: ${SUBJECT}`) ? ['header above it'] : []
  return ['body', ...header, ...(isRepeated ? ['Subject in the text'] : [])].join(', ')
}

/** A line of docs/interop.md. */
export interface Cell extends Pick<Case, 'from' | 'to'> {
  readonly peer: string
  readonly direction: 'Sealpost to peer' | 'peer to Sealpost'
  readonly layering: Layering
  readonly encryption: string
  readonly form: string
  /** What became of the header. */
  readonly headers: string
  readonly opens: boolean
  readonly verifies: boolean | undefined
  readonly shown: string
}

/** Keeps what a test saw for tools/interop-table.ts; does nothing in an ordinary run. */
export function record(
  peer: string,
  direction: Cell['direction'],
  how: Case,
  seen: Pick<Cell, 'opens' | 'verifies' | 'shown'>,
): void {
  const file = process.env['SEALPOST_INTEROP_CELLS']
  if (file === undefined) return
  const { layering, form, from, to } = how
  const encryption = layering === 'sign' ? '–' : [how.cipher, how.keyTransport].filter(Boolean).join(' + ')
  const signed = LAYERS[layering].includes('signed')
  const signing = signed ? [form, how.signature].filter(Boolean).join(' + ') : '–'
  const headers = direction === 'peer to Sealpost' ? '–' : headersOf(how)
  const cell: Cell = { peer, direction, layering, encryption, form: signing, from, to, headers, ...seen }
  appendFileSync(file, `${JSON.stringify(cell)}\n`)
}

function headersOf({ headerProtection, subject }: Case): string {
  if (headerProtection === false) return 'off'
  return subject === 'hidden' ? 'on, Subject inside only' : 'on'
}
