/** What an S3-compatible store answers in XML, as far as we ask. Never throws: what cannot be read is missing. */

export interface ListedObject {
  readonly key: string
  readonly modifiedMs: number
}

export interface Listing {
  readonly objects: readonly ListedObject[]
  /** To ask with for what comes after these. */
  readonly next: string | undefined
}

export interface ErrorAnswer {
  /** `NoSuchKey`, `SlowDown`, … */
  readonly code: string
  readonly message: string
}

/** Of ListObjectsV2. An object without a key or a time is left out. */
export function readListing(xml: string): Listing {
  const objects = blocksOf(xml, 'Contents').flatMap((block): readonly ListedObject[] => {
    const [key, modified] = [textOf(block, 'Key'), textOf(block, 'LastModified')]
    const modifiedMs = Date.parse(modified ?? '')
    return key === undefined || Number.isNaN(modifiedMs) ? [] : [{ key, modifiedMs }]
  })
  const isCut = textOf(xml, 'IsTruncated') === 'true'
  return { objects, next: isCut ? textOf(xml, 'NextContinuationToken') : undefined }
}

/** `undefined` when it is no error. */
export function readError(xml: string): ErrorAnswer | undefined {
  const [block] = blocksOf(xml, 'Error')
  const code = block === undefined ? undefined : textOf(block, 'Code')
  return code === undefined ? undefined : { code, message: textOf(block ?? '', 'Message') ?? '' }
}

/** What stands in each element of this name; elements of one name are not nested in these answers. */
function blocksOf(xml: string, name: string): string[] {
  const blocks: string[] = []
  const [open, close] = [`<${name}>`, `</${name}>`]
  for (let at = xml.indexOf(open); at !== -1; at = xml.indexOf(open, at)) {
    const end = xml.indexOf(close, at)
    if (end === -1) break
    blocks.push(xml.slice(at + open.length, end))
    at = end
  }
  return blocks
}

function textOf(xml: string, name: string): string | undefined {
  const [text] = blocksOf(xml, name)
  return text?.replaceAll(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));/g, unescaped)
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescaped(whole: string, name?: string, decimal?: string, hex?: string): string {
  if (name !== undefined) return NAMED[name] ?? whole
  const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
  return point <= 0x10_ff_ff ? String.fromCodePoint(point) : whole
}
