/**
 * Opens an encrypted message with the recipient's own keys, or a password. Whatever goes wrong after a key was found looks the same from
 * outside: a sender who sees our answers must not learn which step failed.
 */
import { hex } from '../../../base/bytes.ts'
import { Malformed, attempt } from '../../malformed.ts'
import type { OpenedEnvelope } from '../../opened-envelope.ts'
import type { KeyPacket } from '../keys/key-packet.ts'
import { Cursor } from '../packets/cursor.ts'
import { PACKET, type Packet } from '../packets/packet.ts'
import type { DecryptionKey } from './carrier.ts'
import { canCarryTo, carrierOf } from './carriers.ts'
import { CHANGED } from './changed.ts'
import { type ContainerHead, containerTypeOf, readContainerHead } from './container.ts'
import { type DecryptionInput, decryptWhole, decryptionInput, describeCipher } from './decrypt.ts'
import { type Pkesk, names, readPkesk } from './pkesk.ts'
import type { SessionKey } from './session-key.ts'
import { type Skesk, openWithPassword, readSkesk } from './skesk.ts'

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
  readonly skesks: readonly Skesk[]
}

/** All that stands before the ciphertext. */
export interface EncryptedMessage extends SessionKeyPackets {
  readonly head: ContainerHead
}

/** Of the packets before the container; others, and versions that are not ours, are passed over. Throws Malformed. */
export function readSessionKeyPackets(packets: readonly Packet[]): SessionKeyPackets {
  if (packets.length > SESSION_KEYS_MAX) throw new Malformed('too many session keys')
  return {
    pkesks: packets.flatMap(({ type, body }) => (type === PACKET.PKESK ? (readPkesk(body) ?? []) : [])),
    skesks: packets.flatMap(({ type, body }) => (type === PACKET.SKESK ? (readSkesk(body) ?? []) : [])),
  }
}

export interface Openers {
  /** Newest first. */
  readonly keys: readonly DecryptionKey[]
  readonly passwords?: readonly string[]
  /** Also a container that proves nothing: for archives, never for what a reader is shown as it comes. */
  readonly allowUnproven?: boolean
}

/** Opens a message that is in memory: the packets before the container, and the container. Never throws on foreign bytes. */
export function openWhole(before: readonly Packet[], container: Packet, openers: Openers): OpenedEnvelope {
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
): OpenedEnvelope<Content> {
  const { head } = message
  const named = keyTries(message, openers, names).slice(0, TRIES_MAX)
  const anonymous = keyTries(message, openers, couldBeFor).slice(0, ANONYMOUS_TRIES_MAX)
  const byPassword = passwordTries(message, openers).slice(0, TRIES_MAX)
  const notForUs = { kind: 'no-key', recipients: describeRecipients(message) } as const
  if (named.length + anonymous.length + byPassword.length === 0) return notForUs
  if (head.kind === 'sed' && openers.allowUnproven !== true) return { kind: 'broken', why: UNPROVEN }
  const fitting = named.filter((each) => each.goesWith(head))
  for (const each of fitting) {
    const opened = run(each, each.open(), head, decrypt)
    if (opened !== undefined) return opened
  }
  if (named.length > 0) return { kind: 'broken', why: fitting.length === 0 ? MISMATCH : CHANGED }
  return runAnonymous(anonymous, head, decrypt) ?? runByPassword(byPassword, head, decrypt) ?? notForUs
}

/** A way to a session key. */
interface Try {
  /** What carries it. */
  readonly carriedIn: Uint8Array
  readonly weak: boolean
  readonly openedBy?: string
  /** Version 6 goes with SEIPD of version 2 and with nothing else: to change one for the other is the first step of an attack. */
  goesWith(head: ContainerHead): boolean
  /** `undefined` when it does not come out. */
  open(): SessionKey | undefined
}

function keyTries(
  { pkesks }: SessionKeyPackets,
  { keys }: Openers,
  isFor: (pkesk: Pkesk, key: KeyPacket) => boolean,
): Try[] {
  return keys.flatMap((key) =>
    pkesks
      .filter((pkesk) => isFor(pkesk, key.packet))
      .map(({ version, algorithm, fields }) => ({
        carriedIn: fields,
        weak: !canCarryTo(key.packet), // what is too short to write to
        openedBy: key.certificate,
        goesWith: ({ kind }) => (version === 6) === (kind === 'seipd2'),
        open: quietly(() => carrierOf(algorithm)?.open(fields, key, version)),
      })),
  )
}

const couldBeFor = ({ recipient, algorithm }: Pkesk, key: KeyPacket): boolean =>
  recipient === undefined && algorithm === key.algorithm

function passwordTries({ skesks }: SessionKeyPackets, { passwords = [] }: Openers): Try[] {
  return passwords.flatMap((password) =>
    skesks.map((skesk) => ({
      carriedIn: skesk.sealed,
      weak: false,
      goesWith: ({ kind }) => (skesk.version === 6) === (kind === 'seipd2'),
      open: quietly(() => openWithPassword(skesk, password)),
    })),
  )
}

/** A point off the curve, a wrapped key that was changed, fields that end too early: all the same. */
function quietly(open: Try['open']): Try['open'] {
  return () => {
    try {
      return open()
    } catch {
      return undefined
    }
  }
}

/**
 * A packet that names nobody may be for somebody else: whether its session key does not come out or does not open the
 * container, it was not for us. Either way one container is decrypted, so that the time does not tell which it was.
 */
function runAnonymous<Content>(
  tries: readonly Try[],
  head: ContainerHead,
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedEnvelope<Content> | undefined {
  const fitting = tries.filter((each) => each.goesWith(head))
  for (const each of fitting) {
    const sessionKey = each.open()
    if (sessionKey !== undefined) return run(each, sessionKey, head, decrypt)
  }
  const [first] = fitting
  return first && run(first, undefined, head, decrypt)
}

/** A message does not say which password it is for: one that is not right opens nothing, as a key that is not named. */
function runByPassword<Content>(
  tries: readonly Try[],
  head: ContainerHead,
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedEnvelope<Content> | undefined {
  for (const each of tries.filter(({ goesWith }) => goesWith(head))) {
    const sessionKey = each.open()
    const opened = sessionKey && run(each, sessionKey, head, decrypt)
    if (opened !== undefined) return opened
  }
  return undefined
}

function run<Content>(
  { carriedIn, weak, openedBy }: Try,
  sessionKey: SessionKey | undefined,
  head: ContainerHead,
  decrypt: (input: DecryptionInput) => Content | undefined,
): OpenedEnvelope<Content> | undefined {
  const input = decryptionInput(head, sessionKey, carriedIn)
  const content = decrypt(input)
  if (content === undefined) return undefined
  return {
    kind: 'decrypted',
    content,
    algorithm: describeCipher(input),
    authenticated: head.kind !== 'sed',
    ...(weak || input.cipher.weak !== undefined ? { weak: true } : {}),
    ...(openedBy === undefined ? {} : { openedBy }),
  }
}

const describeRecipients = ({ pkesks, skesks }: SessionKeyPackets): string[] =>
  [...pkesks.map(describeRecipient), ...skesks.map(() => 'whoever knows the password')].slice(0, RECIPIENTS_SHOWN_MAX)

const describeRecipient = ({ recipient }: Pkesk): string =>
  recipient === undefined ? 'somebody who is not named' : `key ${hex(recipient)}`
