/** Makes the DKIM signatures of our own domains over a message as it leaves (RFC 6376 §5, RFC 8463 §3). */
import { type KeyObject, createHash, sign } from 'node:crypto'
import type { ByteSink } from '../base/byte-sink.ts'
import { concatBytes } from '../base/bytes.ts'
import type { Domain } from '../message/address.ts'
import { isField, makeField } from '../message/header-field.ts'
import { parsePart } from '../message/parse.ts'
import type { HeaderField } from '../message/part.ts'
import { HashedBody } from './body-hash.ts'
import { CanonicalBody } from './canonical.ts'
import { type DkimAlgorithm, signedHeader } from './dkim-signature.ts'

export interface DkimSigner {
  readonly domain: Domain
  readonly selector: string
  readonly algorithm: DkimAlgorithm
  readonly key: KeyObject
}

/** Signed once more than they are there, so that nobody can add another one (RFC 6376 §8.15). */
const OVERSIGNED = ['from', 'to', 'cc', 'subject', 'date', 'message-id'].concat([
  'mime-version',
  'content-type',
  'content-transfer-encoding',
])
/** Signed when they are there; mailing lists add some of them. */
const SIGNED = ['reply-to', 'sender', 'in-reply-to', 'references', 'autocrypt', 'auto-submitted']

/** Passes a message on, and has its signatures when it has ended: they belong in front of it. */
export class DkimSink implements ByteSink {
  readonly #signers: readonly DkimSigner[]
  readonly #timeS: number
  readonly #out: ByteSink
  readonly #hash = new HashedBody()
  readonly #body = new CanonicalBody('relaxed', this.#hash)
  /** As long as the header has not ended. */
  #header: Uint8Array[] | undefined = []
  #fields: readonly HeaderField[] = []

  constructor(signers: readonly DkimSigner[], timeMs: number, out: ByteSink) {
    this.#signers = signers
    this.#timeS = Math.floor(timeMs / 1000)
    this.#out = out
  }

  write(chunk: Uint8Array): void {
    this.#out.write(chunk)
    if (this.#header === undefined) return this.#body.write(chunk)
    this.#header.push(chunk)
    const bytes = Buffer.concat(this.#header)
    if (bytes.includes('\r\n\r\n', 0, 'latin1')) this.#endHeader(bytes)
    else this.#header = [bytes]
  }

  end(): void {
    if (this.#header !== undefined) this.#endHeader(concatBytes(this.#header))
    this.#body.end()
    this.#out.end()
  }

  /** After the end: one field for each key, each with its line end. */
  signatures(): Uint8Array {
    return concatBytes(this.#signers.map((signer) => this.#sign(signer).raw))
  }

  #endHeader(bytes: Uint8Array): void {
    const { fields, bodyOffset } = parsePart(bytes)
    this.#fields = fields
    this.#header = undefined
    if (bodyOffset < bytes.length) this.#body.write(bytes.subarray(bodyOffset))
  }

  #sign({ domain, selector, algorithm, key }: DkimSigner): HeaderField {
    const signedFields = this.#signedFields()
    const tags = [
      'v=1',
      `a=${algorithm}`,
      'c=relaxed/relaxed',
      `d=${domain}`,
      `s=${selector}`,
      `t=${this.#timeS}`,
      `h=${signedFields.join(': ')}`,
      `bh=${Buffer.from(this.#hash.digest()).toString('base64')}`,
      'b=',
    ].join('; ')
    const field = makeField('DKIM-Signature', tags)
    const data = signedHeader(this.#fields, { field, signedFields, headerForm: 'relaxed' })
    const value = signatureOver(data, algorithm, key).toString('base64')
    return makeField('DKIM-Signature', tags + value.replaceAll(/(.{64})(?=.)/g, '$1 '))
  }

  #signedFields(): readonly string[] {
    const count = (name: string): number => this.#fields.filter((field) => isField(field, name)).length
    return [
      ...OVERSIGNED.flatMap((name) => Array<string>(count(name) + 1).fill(name)),
      ...SIGNED.flatMap((name) => Array<string>(count(name)).fill(name)),
    ]
  }
}

/** A message that is in memory, with its signatures in front; as it is when there are no keys. */
export function signWithDkim(signers: readonly DkimSigner[], timeMs: number, message: Uint8Array): Uint8Array {
  if (signers.length === 0) return message
  const sink = new DkimSink(signers, timeMs, { write: () => undefined, end: () => undefined })
  sink.write(message)
  sink.end()
  return concatBytes([sink.signatures(), message])
}

const signatureOver = (data: Uint8Array, algorithm: DkimAlgorithm, key: KeyObject): Buffer =>
  algorithm === 'rsa-sha256' ? sign('sha256', data, key) : sign(null, createHash('sha256').update(data).digest(), key)
