/** A header field with a secret value, by which mail of our organisation is told from that of others who send from the same addresses. */
import { hash, timingSafeEqual } from 'node:crypto'
import { fieldBody, fieldsNamed, isField } from '../message/header-field.ts'
import type { Part } from '../message/part.ts'
import { type Reply, reply } from '../protocol/smtp-reply.ts'
import type { SecretHeader } from '../protocol/smtp-session.ts'

const digestOf = (value: string): Buffer => hash('sha256', value, 'buffer')

export const secretHeader = (name: string, value: string): SecretHeader => ({ name, digest: digestOf(value) })

/** Does the header carry one of them? A field that is there twice proves nothing: one of the two is somebody else's. */
export function provesOrigin(part: Part, secrets: readonly SecretHeader[]): boolean {
  return secrets.some(({ name, digest }) => {
    const [only, another] = fieldsNamed(part, name)
    return only !== undefined && another === undefined && timingSafeEqual(digestOf(fieldBody(only)), digest)
  })
}

/** So that no recipient learns the value. */
export function withoutSecrets(part: Part, secrets: readonly SecretHeader[]): Part {
  return { ...part, fields: part.fields.filter((field) => !secrets.some(({ name }) => isField(field, name))) }
}

export const NOT_PROVEN: Reply = reply(550, '5.7.1', 'This mail does not prove that it is from our own organisation')
