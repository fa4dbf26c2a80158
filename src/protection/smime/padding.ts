/** The padding of block ciphers (RFC 5652 §6.3, there for any block up to 255 octets). */

/**
 * Takes it off; `undefined` when it is wrong. Looks at all of the last block whatever it holds, so that the time tells
 * nothing of how much of it was right.
 */
export function withoutPadding(padded: Uint8Array, blockBytes: number): Uint8Array | undefined {
  const count = padded.at(-1) ?? 0
  let wrong = count === 0 || count > blockBytes || padded.length < blockBytes ? 1 : 0
  for (let i = 1; i <= blockBytes; i++) wrong |= i <= count ? (padded.at(-i) ?? 0) ^ count : 0
  return wrong === 0 ? padded.subarray(0, padded.length - count) : undefined
}
