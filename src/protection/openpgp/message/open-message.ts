/**
 * Opens one OpenPGP message: its packets are pushed once, what is inside goes to a spill, and is of use only when the end has
 * been seen. Where the first key that fits turns out not to be the one, all is pushed again.
 */
import type { Spill } from '../../../base/byte-range.ts'
import type { ByteSink } from '../../../base/byte-sink.ts'
import type { Result } from '../../../base/result.ts'
import { Malformed, attempt } from '../../malformed.ts'
import type { OpenedEnvelope } from '../../opened-envelope.ts'
import { dearmorSink, isBinary } from '../armor.ts'
import { CHANGED } from '../encryption/changed.ts'
import { ContainerSink } from '../encryption/container.ts'
import { type DecryptionInput, decryptingSink } from '../encryption/decrypt.ts'
import {
  type EncryptedMessage,
  type Openers,
  openContainer,
  readSessionKeyPackets,
} from '../encryption/open-container.ts'
import { type MessageOutline, NOWHERE, readMessage } from './grammar.ts'

/** How a container was opened. */
export type Decryption = Omit<Extract<OpenedEnvelope<unknown>, { kind: 'decrypted' }>, 'kind' | 'content'>

export type OpenedMessage =
  | {
      readonly kind: 'opened'
      /** Has ended. */
      readonly content: Spill
      readonly outline: MessageOutline
      /** Missing when it was not encrypted. */
      readonly decryption?: Decryption
    }
  | { readonly kind: 'no-key'; readonly recipients: readonly string[] }
  | { readonly kind: 'broken'; readonly encrypted: boolean; readonly why: string }

/** Where packets come from, in armor or without; it can be asked several times. */
export type Source = (sink: ByteSink) => void

export function openMessage(source: Source, openers: Openers, openSpill: () => Spill): OpenedMessage {
  const first = readOnce(source, openSpill, (message) => openContainer(message, openers, (input) => input))
  const { container, message } = first
  if (first.read.ok || container?.kind !== 'decrypted' || message === undefined) return outcomeOf(first)
  const opened = openContainer(message, openers, (input) => {
    const again = readOnce(source, openSpill, () => ({ ...container, content: input }))
    return again.read.ok ? again : undefined
  })
  if (opened.kind !== 'decrypted') return opened.kind === 'broken' ? { ...opened, encrypted: true } : opened
  const { kind: _decrypted, content: again, ...decryption } = opened
  return { kind: 'opened', content: again.content, outline: again.outline, decryption }
}

interface Reading {
  readonly read: Result<void>
  readonly content: Spill
  readonly outline: MessageOutline
  readonly message: EncryptedMessage | undefined
  readonly container: OpenedEnvelope<DecryptionInput> | undefined
}

function readOnce(
  source: Source,
  openSpill: () => Spill,
  choose: (message: EncryptedMessage) => OpenedEnvelope<DecryptionInput>,
): Reading {
  const content = openSpill()
  let message: EncryptedMessage | undefined
  let container: OpenedEnvelope<DecryptionInput> | undefined
  const { sink, outline } = readMessage({
    content,
    decrypt: (type, sessionKeys, out) =>
      new ContainerSink(type, (head) => {
        message = { head, ...readSessionKeyPackets(sessionKeys) }
        container = choose(message)
        if (container.kind === 'broken') throw new Malformed(container.why)
        return container.kind === 'decrypted' ? decryptingSink(container.content, out) : NOWHERE
      }),
  })
  const read = attempt(() => source(packetsSink(sink)))
  if (!read.ok || container?.kind === 'no-key') content.drop()
  return { read, content, outline, message, container }
}

function outcomeOf({ read, content, outline, container }: Reading): OpenedMessage {
  if (container?.kind === 'broken') return { ...container, encrypted: true }
  // of an encrypted message one thing is said, whatever was found first (decision 0043), and however its bytes came
  if (!read.ok) return { kind: 'broken', encrypted: outline.encrypted, why: outline.encrypted ? CHANGED : read.error }
  if (container === undefined) return { kind: 'opened', content, outline }
  if (container.kind !== 'decrypted') return container
  const { kind: _decrypted, content: _input, ...decryption } = container
  return { kind: 'opened', content, outline, decryption }
}

/** Packets come in armor or as they are. */
function packetsSink(out: ByteSink): ByteSink {
  let into: ByteSink | undefined
  const begin = (chunk: Uint8Array): ByteSink => (into ??= isBinary(chunk) ? out : dearmorSink(out))
  return {
    write: (chunk) => (chunk.length === 0 ? undefined : begin(chunk).write(chunk)),
    end: () => begin(new Uint8Array()).end(),
  }
}
