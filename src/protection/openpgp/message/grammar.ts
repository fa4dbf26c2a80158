/**
 * The grammar of OpenPGP messages (RFC 9580 §10.3), as they come by: session keys and what they open, signatures before and
 * after what they cover, compression, and in the midst of it all one literal. Whatever else it could mean is refused: two
 * contents, packets behind the end, a signature outside of an encryption.
 */
import type { ByteSink } from '../../../base/byte-sink.ts'
import { concatBytes } from '../../../base/bytes.ts'
import { Malformed } from '../../malformed.ts'
import { decompressingSink } from '../compressed.ts'
import type { ContainerType } from '../encryption/container.ts'
import { PacketStream } from '../packets/packet-stream.ts'
import { type Packet, PACKET } from '../packets/packet.ts'
import { literalSink } from './literal.ts'

/** Compression within compression: none that we know of writes two. */
const DEPTH_MAX = 4
/** One for each recipient, and a message to a list has many. */
const SESSION_KEYS_MAX = 2000
const SIGNATURES_MAX = 16
/** The largest are of hash-based schemes: 50 kB. */
const PACKET_BYTES_MAX = 128 * 1024

export interface MessageSteps {
  /** What takes a container of this packet type, and decrypts it into `out`, whose Malformed it holds back to the end. */
  decrypt(type: ContainerType, sessionKeys: readonly Packet[], out: ByteSink): ByteSink
  /** Where the content goes. */
  readonly content: ByteSink
}

/** A signature of the message, and the packet that announced it, where one did. */
export interface MessageSignature {
  readonly body: Uint8Array
  readonly onePass?: Uint8Array
}

/** What a message is made of; complete after its sink has ended. */
export interface MessageOutline {
  readonly signatures: readonly MessageSignature[]
  readonly encrypted: boolean
  readonly compressed: boolean
}

/** Takes the packets of a message. The sink throws Malformed. */
export function readMessage(steps: MessageSteps): { readonly sink: ByteSink; readonly outline: MessageOutline } {
  const reading = new Reading(steps)
  return { sink: levelSink(reading, 0), outline: reading }
}

class Reading implements MessageOutline {
  readonly steps: MessageSteps
  readonly signatures: MessageSignature[] = []
  encrypted = false
  compressed = false

  constructor(steps: MessageSteps) {
    this.steps = steps
  }

  addSignature(signature: MessageSignature): void {
    if (this.signatures.push(signature) > SIGNATURES_MAX) throw new Malformed('too many signatures')
  }
}

function levelSink(reading: Reading, depth: number): ByteSink {
  const level = new Level(reading, depth)
  const packets = new PacketStream((type) => level.open(type))
  return {
    write: (chunk) => packets.write(chunk),
    end() {
      packets.end()
      level.end()
    },
  }
}

/** What stands beside each other: in the message itself, in a compressed packet, or in an encrypted one. */
class Level {
  readonly #reading: Reading
  readonly #depth: number
  readonly #sessionKeys: Packet[] = []
  /** Of which the signature is still to come; the last one is answered first. */
  readonly #onePass: Uint8Array[] = []
  #signed = false
  #hasBody = false

  constructor(reading: Reading, depth: number) {
    this.#reading = reading
    this.#depth = depth
  }

  open(type: number): ByteSink {
    switch (type) {
      case PACKET.PKESK:
      case PACKET.SKESK:
        if (this.#hasBody || this.#signed || this.#sessionKeys.length >= SESSION_KEYS_MAX) throw misplaced(type)
        return bodySink((body) => this.#sessionKeys.push({ type, body }))
      case PACKET.ONE_PASS:
        if (this.#hasBody || this.#onePass.length >= SIGNATURES_MAX) throw misplaced(type)
        this.#signed = true
        return bodySink((body) => this.#onePass.push(body))
      case PACKET.SIGNATURE:
        return this.#signature()
      case PACKET.SEIPD:
      case PACKET.SED:
      case PACKET.AEAD:
        this.#beginBody(type)
        return this.#decrypted(type)
      case PACKET.COMPRESSED:
        this.#beginBody(type)
        if (this.#depth >= DEPTH_MAX) throw new Malformed('the message is nested too deeply')
        this.#reading.compressed = true
        return decompressingSink(levelSink(this.#reading, this.#depth + 1))
      case PACKET.LITERAL:
        this.#beginBody(type)
        return literalSink(this.#reading.steps.content)
      default:
        if (isIgnored(type)) return NOWHERE
        throw misplaced(type)
    }
  }

  end(): void {
    if (!this.#hasBody) throw new Malformed('the message has no content')
    if (this.#onePass.length > 0) throw new Malformed('a signature is missing')
  }

  #beginBody(type: number): void {
    const isContainer = type === PACKET.SEIPD || type === PACKET.SED || type === PACKET.AEAD
    if (this.#hasBody || (this.#sessionKeys.length > 0 && !isContainer)) throw misplaced(type)
    if (isContainer && (this.#signed || this.#depth > 0))
      throw new Malformed('the encryption is not the outermost layer')
    this.#hasBody = true
  }

  /** Before its content in the old style (RFC 9580 §10.3), else behind it. */
  #signature(): ByteSink {
    const reading = this.#reading
    if (!this.#hasBody) {
      if (this.#sessionKeys.length > 0) throw misplaced(PACKET.SIGNATURE)
      this.#signed = true
      return bodySink((body) => reading.addSignature({ body }))
    }
    const onePass = this.#onePass.pop()
    if (onePass === undefined) throw misplaced(PACKET.SIGNATURE)
    return bodySink((body) => reading.addSignature({ body, onePass }))
  }

  #decrypted(type: ContainerType): ByteSink {
    const reading = this.#reading
    reading.encrypted = true
    return reading.steps.decrypt(type, this.#sessionKeys, levelSink(reading, this.#depth + 1))
  }
}

const misplaced = (type: number): Malformed => new Malformed(`a packet of type ${type} does not belong there`)

/** Markers and padding (RFC 9580 §5.8, §5.14), and what one who does not know it may ignore (§4.3). */
const isIgnored = (type: number): boolean => type === PACKET.MARKER || type === PACKET.PADDING || type >= 40

/** What is of no use. */
export const NOWHERE: ByteSink = { write: () => undefined, end: () => undefined }

/** A body that is needed whole. */
function bodySink(take: (body: Uint8Array) => void): ByteSink {
  const chunks: Uint8Array[] = []
  let lengthBytes = 0
  return {
    write(chunk) {
      lengthBytes += chunk.length
      if (lengthBytes > PACKET_BYTES_MAX) throw new Malformed('a packet is too large')
      chunks.push(chunk)
    },
    end: () => take(concatBytes(chunks)),
  }
}
