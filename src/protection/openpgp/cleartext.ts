/** Text signed in clear (RFC 9580 §7): readable by everybody, and full of ways to show what was not signed. */
import { fromLatin1, latin1 } from '../../base/bytes.ts'
import { Malformed } from '../malformed.ts'
import { readArmor } from './armor.ts'
import { trimmedEnd } from './line.ts'

export interface CleartextMessage {
  /** What was signed, and nothing else may be shown as such: lines ended by CRLF, but for the last, which has no end. */
  readonly text: Uint8Array
  /** Signature packets. */
  readonly signatures: Uint8Array
  /** Of the first dash of the message. */
  readonly startOffset: number
  /** Behind the end of its last line. */
  readonly endOffset: number
}

const BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----'
const BEGIN_SIGNATURE = '-----BEGIN PGP SIGNATURE-----'
const ARMOR_LINE = '-----'
const DASH_ESCAPE = '- '
/** The only header there may be (§7.1), its value as §6.2.2.3 wants it; which algorithm, the signature itself says. */
const HASH_HEADER = /^Hash: [A-Za-z0-9/-]{1,20}(?:, ?[A-Za-z0-9/-]{1,20}){0,9}$/

/** The first message signed in clear; `undefined` when none begins. Throws Malformed when it does not go on as it should. */
export function readCleartext(bytes: Uint8Array): CleartextMessage | undefined {
  const all = latin1(bytes)
  const lines = new Lines(all)
  if (!all.includes(BEGIN) || lines.upTo((line) => line === BEGIN) === undefined) return undefined
  const { startOffset } = lines
  const headers = lines.upTo((line) => line === '') ?? []
  if (!headers.every((line) => HASH_HEADER.test(line))) throw new Malformed(FOREIGN_HEADER)
  const text = lines.upTo((line) => line.startsWith(ARMOR_LINE))
  if (text === undefined || lines.last !== BEGIN_SIGNATURE) throw new Malformed(NO_SIGNATURE)
  const [armor] = readArmor(bytes.subarray(lines.startOffset))
  if (armor === undefined) throw new Malformed(NO_SIGNATURE)
  return {
    text: fromLatin1(text.map(unescaped).join('\r\n')),
    signatures: armor.bytes,
    startOffset,
    endOffset: lines.startOffset + armor.endOffset,
  }
}

const FOREIGN_HEADER = 'a header that is not Hash stands before the text signed in clear'
const NO_SIGNATURE = 'no signature follows the text signed in clear'

const unescaped = (line: string): string => (line.startsWith(DASH_ESCAPE) ? line.slice(DASH_ESCAPE.length) : line)

/** Goes through a text line by line. */
class Lines {
  readonly #all: string
  #endOffset = 0
  /** Of the line that was read last. */
  startOffset = 0
  /** That line, without its end and the blanks before it, which no signature in clear covers. */
  last = ''

  constructor(all: string) {
    this.#all = all
  }

  /** The lines before the next one that is wanted; `undefined` when none is. */
  upTo(isWanted: (line: string) => boolean): string[] | undefined {
    const before: string[] = []
    while (this.#next()) {
      if (isWanted(this.last)) return before
      before.push(this.last)
    }
    return undefined
  }

  #next(): boolean {
    this.startOffset = this.#endOffset
    const lf = this.#all.indexOf('\n', this.startOffset)
    this.#endOffset = lf === -1 ? this.#all.length : lf + 1
    this.last = trimmedEnd(this.#all.slice(this.startOffset, this.#endOffset))
    return this.startOffset < this.#endOffset
  }
}
