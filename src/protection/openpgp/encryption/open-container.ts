/**
 * Opens an encrypted message with the recipient's own keys. Whatever goes wrong after a key was found looks the same from
 * outside: a sender who sees our answers must not learn which step failed.
 */
import { hex } from '../../../base/bytes.ts'
import { Malformed, attempt } from '../../malformed.ts'
import { publicKeyAlgorithm } from '../algorithms/public-keys.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { Cursor } from '../packets/cursor.ts'
import { PACKET, type Packet } from '../packets/packet.ts'
import type { DecryptionKey } from './carrier.ts'
import { carrierOf } from './carriers.ts'
import { CHANGED } from './changed.ts'
import { type ContainerHead, containerTypeOf, readContainerHead } from './container.ts'
import { type DecryptionInput, decryptWhole, decryptionInput, describeCipher } from './decrypt.ts'
import { type Pkesk, names, readPkesk } from './pkesk.ts'
import { MODULUS_MIN_BITS } from './rsa.ts'
import type { SessionKey } from './session-key.ts'

/** A private-key operation costs half a millisecond; no honest message names one recipient many times. */
const TRIES_MAX = 8
/** Packets that name nobody, times our keys. */
const ANONYMOUS_TRIES_MAX = 64
/** Session keys of one message; a mail to a thousand recipients is none that was sent by hand. */
const SESSION_KEYS_MAX = 2000
/** Recipients that a report names. */
const RECIPIENTS_SHOWN_MAX = 50

const UNPROVEN = 'the message has nothing that would show a change (no MDC): it counts as changed'
const MISMATCH = 'the session key is not of the kind that goes with the container'

export interface SessionKeyPackets {
  readonly pkesks: readonly Pkesk[]
}

/** All that stands before the ciphertext. */
export interface EncryptedMessage extends SessionKeyPackets {
  readonly head: ContainerHead
}

/** Of the packets before the container; others, and versions that are not ours, are passed over. Throws Malformed. */
export function readSessionKeyPackets(packets: readonly Packet[]): SessionKeyPackets {
  if (packets.length > SESSION_KEYS_MAX) throw new Malformed('too many session keys')
  return { pkesks: packets.flatMap(({ type, body }) => (type === PACKET.PKESK ? (readPkesk(body) ?? []) : [])) }
}

export interface Openers {
  /** Newest first. */
  readonly keys: readonly DecryptionKey[]
  /** Also a container that proves nothing: for archives, never for what a reader is shown as it comes. */
  readonly allowUnproven?: boolean
}

export type OpenedContainer<Content> =
  | {
      readonly kind: 'decrypted'
      readonly content: Content
      /** Such as `aes-256-ocb`. */
      readonly algorithm: string
      /** It was proven that nothing was changed. */
      readonly authenticated: boolean
      /** What sealed it protects nobody any more. */
      readonly weak?: boolean
      /** Fingerprint of the certificate whose key opened it. */
      readonly openedBy?: string
    }
  | { readonly kind: 'no-key'; readonly recipients: readonly string[] }
  | { readonly kind: 'broken'; readonly why: string }

/** Opens a message that is in memory: the packets before the container, and the container. Never throws on foreign bytes. */
export function openWhole(before: readonly Packet[], container: Packet, openers: Openers): OpenedContainer<Uint8Array> {
  const read = attempt(() => {
    const cursor = new Cursor(container.body)
    const head = readContainerHead(containerTypeOf(container.type), cursor)
    return { message: { ...readSessionKeyPackets(before), head }, ciphertext: cursor.rest() }
  })
  if (!read.ok) return { kind: 'broken', why: read.error }
  const { message, ciphertext } = read.value
  return openContainer(message, openers, (input) => decryptWhole(input, ciphertext))
}

/** `decrypt` runs the container with a session key; `undefined` when it is not so sealed. Never throws on foreign bytes. */
export function openContainer<Content>(
  message: EncryptedMessage,
  openers: Openers,
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedContainer<Content> {
  const { head, pkesks } = message
  const named = triesOf(openers.keys, pkesks, names).slice(0, TRIES_MAX)
  const anonymous = triesOf(openers.keys, pkesks, couldBeFor).slice(0, ANONYMOUS_TRIES_MAX)
  if (named.length + anonymous.length === 0) return { kind: 'no-key', recipients: describeRecipients(pkesks) }
  if (head.kind === 'sed' && openers.allowUnproven !== true) return { kind: 'broken', why: UNPROVEN }
  const fitting = named.filter((each) => goesWith(each, head))
  for (const each of fitting) {
    const opened = run(each, openSessionKey(each), head, decrypt)
    if (opened !== undefined) return opened
  }
  if (named.length > 0) return { kind: 'broken', why: fitting.length === 0 ? MISMATCH : CHANGED }
  return openAnonymous(
    anonymous.filter((each) => goesWith(each, head)),
    message,
    decrypt,
  )
}

interface Try {
  readonly pkesk: Pkesk
  readonly key: DecryptionKey
}

function triesOf(
  keys: readonly DecryptionKey[],
  pkesks: readonly Pkesk[],
  isFor: (pkesk: Pkesk, key: KeyPacket) => boolean,
): Try[] {
  return keys.flatMap((key) => pkesks.flatMap((pkesk) => (isFor(pkesk, key.packet) ? [{ pkesk, key }] : [])))
}

const couldBeFor = ({ recipient, algorithm }: Pkesk, key: KeyPacket): boolean =>
  recipient === undefined && algorithm === key.algorithm

/** Version 6 goes with SEIPD of version 2 and with nothing else: to change one for the other is the first step of an attack. */
const goesWith = ({ pkesk }: Try, { kind }: ContainerHead): boolean => (pkesk.version === 6) === (kind === 'seipd2')

/**
 * A packet that names nobody may be for somebody else: whether its session key does not come out or does not open the
 * container, it was not for us. Either way one container is decrypted, so that the time does not tell which it was.
 */
function openAnonymous<Content>(
  tries: readonly Try[],
  { head, pkesks }: EncryptedMessage,
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedContainer<Content> {
  const notForUs = { kind: 'no-key', recipients: describeRecipients(pkesks) } as const
  for (const each of tries) {
    const sessionKey = openSessionKey(each)
    if (sessionKey !== undefined) return run(each, sessionKey, head, decrypt) ?? notForUs
  }
  const [first] = tries
  if (first !== undefined) run(first, undefined, head, decrypt)
  return notForUs
}

function openSessionKey({ pkesk, key }: Try): SessionKey | undefined {
  try {
    return carrierOf(pkesk.algorithm)?.open(pkesk.fields, key, pkesk.version)
  } catch {
    return undefined // a point off the curve, a wrapped key that was changed, fields that end too early
  }
}

function run<Content>(
  { pkesk, key }: Try,
  sessionKey: SessionKey | undefined,
  head: ContainerHead,
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedContainer<Content> | undefined {
  const input = decryptionInput(head, sessionKey, pkesk.fields)
  const content = decrypt(input)
  if (content === undefined) return undefined
  return {
    kind: 'decrypted',
    content,
    algorithm: describeCipher(input),
    authenticated: head.kind !== 'sed',
    ...(input.cipher.weak !== undefined || isWeak(key.packet) ? { weak: true } : {}),
    openedBy: key.certificate,
  }
}

function isWeak({ algorithm, publicKeys: [key] }: KeyPacket): boolean {
  const modulusBits = key?.asymmetricKeyDetails?.modulusLength
  return (
    publicKeyAlgorithm(algorithm)?.weak !== undefined || (modulusBits !== undefined && modulusBits < MODULUS_MIN_BITS)
  )
}

const describeRecipients = (pkesks: readonly Pkesk[]): string[] =>
  pkesks
    .map(({ recipient }) => (recipient === undefined ? 'somebody who is not named' : `key ${hex(recipient)}`))
    .slice(0, RECIPIENTS_SHOWN_MAX)
