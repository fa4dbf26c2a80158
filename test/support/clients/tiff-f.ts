/** A page as a fax machine makes it: TIFF, profile S of RFC 3949 (minimal black-and-white, T.4 one-dimensional coding). */

const WIDTH = 1728
/** Codes of ITU-T T.4, tables 2 and 3: runs of 1728 and of 0. */
const WHITE_1728 = '010011011'
const WHITE_0 = '00110101'
const BLACK_1728 = '0000001100101'
const BLACK_0 = '0000110111'
const WHITE_LINE = WHITE_1728 + WHITE_0
const BLACK_LINE = WHITE_0 + BLACK_1728 + BLACK_0

/** One page of `lines` lines; every sixteenth is black. */
export function faxPage(lines: number): Buffer {
  const strip = encodeLines(lines)
  const entries: readonly [tag: number, type: 3 | 4, value: number][] = [
    [254, 4, 2], // NewSubfileType: a page of several
    [256, 4, WIDTH],
    [257, 4, lines],
    [258, 3, 1], // BitsPerSample
    [259, 3, 3], // Compression: T.4
    [262, 3, 0], // PhotometricInterpretation: white is zero
    [266, 3, 2], // FillOrder: least significant bit first
    [273, 4, 0], // StripOffsets, below
    [277, 3, 1], // SamplesPerPixel
    [278, 4, lines], // RowsPerStrip
    [279, 4, strip.length],
    [282, 4, 0], // XResolution, below
    [283, 4, 0], // YResolution, below
    [292, 4, 4], // T4Options: each end of line ends at a byte
    [296, 3, 2], // ResolutionUnit: inch
    [297, 3, 0x00_01], // PageNumber, first of two numbers: page 0 of 1
  ]
  const afterIfd = 8 + 2 + entries.length * 12 + 4
  const known = new Map([
    [273, afterIfd + 16],
    [282, afterIfd],
    [283, afterIfd + 8],
  ])
  const head = Buffer.alloc(afterIfd + 16)
  head.write('II*\0', 'latin1')
  head.writeUInt32LE(8, 4) // RFC 3949: the directory follows the header
  head.writeUInt16LE(entries.length, 8)
  for (const [index, [tag, type, value]] of entries.entries()) {
    const at = 10 + index * 12
    const rational = tag === 282 || tag === 283
    head.writeUInt16LE(tag, at)
    head.writeUInt16LE(rational ? 5 : type, at + 2)
    head.writeUInt32LE(tag === 297 ? 2 : 1, at + 4)
    if (tag === 297) head.writeUInt16LE(value, at + 10)
    else head.writeUInt32LE(known.get(tag) ?? value, at + 8)
  }
  for (const [index, number] of [204, 1, 98, 1].entries()) head.writeUInt32LE(number, afterIfd + index * 4)
  return Buffer.concat([head, strip])
}

function encodeLines(lines: number): Buffer {
  let bits = ''
  for (let line = 0; line < lines; line++) {
    bits += '0'.repeat((12 - (bits.length % 8)) % 8) // so that the end of line ends at a byte
    bits += `000000000001${line % 16 === 0 ? BLACK_LINE : WHITE_LINE}`
  }
  const bytes = bits.match(/.{1,8}/g) ?? []
  return Buffer.from(bytes.map((eight) => Number.parseInt(eight.padEnd(8, '0').split('').toReversed().join(''), 2)))
}
