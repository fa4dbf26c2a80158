/** ASCII armor (RFC 9580 §6): packets as text, for what must stay 7-bit. */
import { Buffer } from 'node:buffer'
import { type ByteSink, Collector } from '../../base/byte-sink.ts'
import { concatBytes, fromLatin1, latin1 } from '../../base/bytes.ts'
import { base64LineSink } from '../../message/encode.ts'
import { Malformed } from '../malformed.ts'
import { type ArmorHead, ArmorReader } from './armor-reader.ts'
import { Crc24 } from './crc24.ts'

/** What we write (§6.2.1). */
export type ArmorLabel = 'PGP MESSAGE' | 'PGP SIGNATURE' | 'PGP PUBLIC KEY BLOCK' | 'PGP PRIVATE KEY BLOCK'

export interface ArmorBlock extends ArmorHead {
  readonly bytes: Uint8Array
  /** Behind the end of its last line. */
  readonly endOffset: number
}

/** All blocks of a text that is in memory, in their order. Throws Malformed. */
export function readArmor(text: Uint8Array): ArmorBlock[] {
  const blocks: ArmorBlock[] = []
  const body = new Collector()
  let begun: ArmorHead | undefined
  const reader = new ArmorReader({
    onBlock: (head) => {
      begun = head
      return body
    },
    onEnd: (endOffset) => {
      if (begun !== undefined) blocks.push({ ...begun, bytes: concatBytes(body.take()), endOffset })
    },
  })
  reader.write(text)
  reader.end()
  return blocks
}

/** The only block of a text, wherever it stands in it. Throws Malformed, also where there are several. */
export function dearmor(text: Uint8Array): ArmorBlock {
  const [block, ...more] = readArmor(text)
  if (block === undefined) throw new Malformed(NO_ARMOR)
  if (more.length > 0) throw new Malformed(SECOND_ARMOR)
  return block
}

/** The bytes of the only block of a text that comes in pieces. Throws Malformed out of `write` and `end`. */
export function dearmorSink(out: ByteSink): ByteSink {
  let found = false
  const reader = new ArmorReader({
    onBlock: () => {
      if (found) throw new Malformed(SECOND_ARMOR)
      found = true
      return { write: (bytes) => out.write(bytes), end: () => {} }
    },
  })
  return {
    write: (chunk) => reader.write(chunk),
    end: () => {
      reader.end()
      if (!found) throw new Malformed(NO_ARMOR)
      out.end()
    },
  }
}

const NO_ARMOR = 'there is no armor'
const SECOND_ARMOR = 'there is more than one block of armor'

/** The packets of a file, which has them as they are or in any number of blocks. Throws Malformed where it has none. */
export function unarmored(file: Uint8Array): Uint8Array {
  if (isBinary(file)) return file
  const blocks = readArmor(file)
  if (blocks.length === 0) throw new Malformed(NO_ARMOR)
  return concatBytes(blocks.map(({ bytes }) => bytes))
}

const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf'

/** Every packet begins with a bit that no text begins with, but for the mark that some put in front of UTF-8. */
export const isBinary = (bytes: Uint8Array): boolean =>
  ((bytes[0] ?? 0) & 0x80) !== 0 && latin1(bytes.subarray(0, 3)) !== BYTE_ORDER_MARK

/**
 * What is pushed comes out in armor, its lines ended by CRLF, without headers, which would only tell about us. `plain`: without
 * the checksum, which objects of version 6 must not have (§6.1). For all others it is written: without it GnuPG 2.2 takes the
 * last line for data where no padding stands before it, one time in three.
 */
export function armorSink(label: ArmorLabel, out: ByteSink, { plain = false } = {}): ByteSink {
  let begun = false
  const crc = plain ? undefined : new Crc24()
  const begin = (): void => {
    if (!begun) out.write(fromLatin1(`-----BEGIN ${label}-----\r\n\r\n`))
    begun = true
  }
  const lines = base64LineSink({
    write: (chunk) => out.write(chunk),
    end: () => {
      const checksum = crc === undefined ? '' : `=${Buffer.from(crc.digest()).toString('base64')}\r\n`
      out.write(fromLatin1(`${checksum}-----END ${label}-----\r\n`))
      out.end()
    },
  })
  return {
    write: (chunk) => {
      begin()
      crc?.update(chunk)
      lines.write(chunk)
    },
    end: () => {
      begin()
      lines.end()
    },
  }
}

export function armor(label: ArmorLabel, bytes: Uint8Array, form = {}): Uint8Array {
  const text = new Collector()
  const sink = armorSink(label, text, form)
  sink.write(bytes)
  sink.end()
  return concatBytes(text.chunks)
}
