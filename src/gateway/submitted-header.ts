/** The header of a submitted mail: read from the stream, checked against who is signed in, made ready to be protected. */
import { CR, LF, concatBytes } from '../base/bytes.ts'
import { type Address, domainOf, sameAddress } from '../message/address.ts'
import { formatDate } from '../message/date.ts'
import { fieldBody, fieldsNamed, firstField, isField, makeField } from '../message/header-field.ts'
import { parseMailboxList } from '../message/mailbox-list.ts'
import { HEADER_BYTES_MAX, parsePart } from '../message/parse.ts'
import type { HeaderField, Part } from '../message/part.ts'
import type { AutocryptPolicy, NoKeyPolicy } from '../policy/settings.ts'
import { standardNamed } from '../protection/jobs.ts'
import type { OwnKey } from '../protection/standard.ts'
import type { TlsWish } from '../protocol/smtp-envelope.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'

export interface Head {
  /** The header only; all of the body is in `rest`. */
  readonly part: Part
  /** Header and the beginning of the body: enough to see what the body is. */
  readonly preview: Part
  readonly rest: AsyncIterable<Uint8Array>
}

/** Reads up to the empty line; a header without end is refused after `HEADER_BYTES_MAX`. Line ends are CRLF. */
export async function readHead(content: AsyncIterable<Uint8Array>): Promise<Head | Reply> {
  const chunks = content[Symbol.asyncIterator]()
  const read: Uint8Array[] = []
  let lengthBytes = 0
  let seam: Uint8Array = START_OF_LINE
  let bodyBytes = 0
  for (let ended = false; !ended || bodyBytes < PREVIEW_BODY_BYTES;) {
    const next = await chunks.next()
    if (next.done === true) break
    read.push(next.value)
    lengthBytes += next.value.length
    if (ended) {
      bodyBytes += next.value.length
      continue
    }
    const window = concatBytes([seam, next.value])
    ended = Buffer.from(window.buffer, window.byteOffset, window.byteLength).includes('\r\n\r\n', 0, 'latin1')
    seam = window.subarray(-3)
    if (!ended && lengthBytes > HEADER_BYTES_MAX) {
      await chunks.return?.()
      return reply(552, '5.3.4', `The header is larger than ${HEADER_BYTES_MAX} octets`)
    }
  }
  const bytes = concatBytes(read)
  const preview = parsePart(bytes)
  const { bodyOffset } = preview
  return {
    part: { ...preview, raw: bytes.subarray(0, bodyOffset) },
    preview,
    rest: follow(bytes.subarray(bodyOffset), chunks),
  }
}

/** Of the body that are waited for before anything is decided, when there are so many. */
const PREVIEW_BODY_BYTES = 1024

/** What stands before the first byte, so that a message that begins with an empty line has an empty header. */
const START_OF_LINE = Uint8Array.of(CR, LF)

/** All of it that may be sent on: nothing that names blind recipients, speaks to us, or is written by us only (HP-Outer: RFC 9788 §2.2). */
export function outgoingFields(part: Part, login: Address, nowMs: number, messageId: string): HeaderField[] {
  const fields = part.fields.filter((field) => !/^(?:bcc|return-path|hp-outer|x-sealpost.*)$/i.test(field.name))
  // RFC 6409 §8.1, §8.2: a submission agent adds what is missing
  if (firstField(part, 'Date') === undefined) fields.unshift(makeField('Date', formatDate(nowMs)))
  if (firstField(part, 'Message-ID') === undefined)
    fields.unshift(makeField('Message-ID', `<${messageId}@${domainOf(login)}>`))
  return fields
}

/**
 * What tells the readers how to answer encrypted, and the author's fields without what their program has said of that. It
 * stands outside of all protection only, where programs look for it: inside it would be there thrice, with its HP-Outer.
 */
export function introducing(
  fields: readonly HeaderField[],
  author: Address,
  signers: readonly OwnKey[],
  rule: AutocryptPolicy,
): { readonly header: readonly HeaderField[]; readonly introduction: readonly HeaderField[] } {
  if (rule === 'off') return { header: fields, introduction: [] }
  const ofEachStandard = Map.groupBy(signers, ({ certificate }) => certificate.standard)
  const introduction = [...ofEachStandard].flatMap(
    ([name, [first]]) =>
      (first && standardNamed(name).headerFieldsOf?.(first.certificate, author, rule === 'mutual')) ?? [],
  )
  const header = fields.filter((field) => !introduction.some(({ name }) => isField(field, name)))
  return { header, introduction }
}

/** Only the signed-in user's own address may write, send, or be answered to (behaviour.md, "Outbound"). */
export function checkAuthor(part: Part, login: Address): Reply | undefined {
  const authors = fieldsNamed(part, 'From')
  if (authors.length !== 1) return reply(550, '5.7.1', `The message must have one From field; it has ${authors.length}`)
  for (const name of ['From', 'Sender', 'Reply-To']) {
    for (const field of fieldsNamed(part, name)) {
      const mailboxes = parseMailboxList(fieldBody(field))
      if (!mailboxes.ok) return reply(550, '5.1.7', `${name} cannot be read: ${mailboxes.error}`)
      const foreign = mailboxes.value.find((mailbox) => !sameAddress(mailbox.address, login))
      if (foreign !== undefined)
        return reply(550, '5.7.1', `${name} is ${foreign.address}, but you signed in as ${login}`)
      if (name === 'From' && mailboxes.value.length !== 1) return reply(550, '5.7.1', 'From must name one author')
    }
  }
  return undefined
}

/** `X-Sealpost: require` or `prefer`; a word we do not know is taken for the stricter one. */
export function askedFor(part: Part): NoKeyPolicy | undefined {
  const field = firstField(part, 'X-Sealpost')
  if (field === undefined) return undefined
  return fieldBody(field).toLowerCase() === 'prefer' ? 'prefer' : 'require'
}

/** What was said with MAIL comes before the field, of which one word only has a meaning (RFC 8689). */
export function tlsWishOf(requireTls: boolean, part: Part): TlsWish {
  if (requireTls) return 'required'
  const [only, another] = fieldsNamed(part, 'TLS-Required')
  const isNo = only !== undefined && another === undefined && fieldBody(only).toLowerCase() === 'no'
  return isNo ? 'unimportant' : 'usual'
}

export const messageIdOf = (fields: readonly HeaderField[]): string => {
  const field = fields.find((each) => isField(each, 'Message-ID'))
  return field === undefined ? '' : fieldBody(field).slice(0, MESSAGE_ID_MAX_CHARS)
}

/** As long as a text line (RFC 5322 §2.1.1); it goes into traces and logs. */
const MESSAGE_ID_MAX_CHARS = 998

async function* follow(first: Uint8Array, chunks: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  if (first.length > 0) yield first
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
}
