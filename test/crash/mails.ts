/** What the users write. Every line holds the marker: where it is found, plaintext has come to the disk. */
import { createHash, randomBytes } from 'node:crypto'
import type { TestMail, Way } from './ledger.ts'

export const MARKER = `plaintext-marker-${randomBytes(9).toString('hex')}`

/** The marker as it is, and in base64, which has three forms by where in the text it begins; their ends depend on the neighbours. */
export const MARKER_NEEDLES: readonly Buffer[] = [
  Buffer.from(MARKER),
  ...[0, 1, 2].map((shift) =>
    Buffer.from(
      Buffer.from('-'.repeat(shift) + MARKER)
        .toString('base64')
        .slice(4, -4),
    ),
  ),
]

/** Lines of some 90 octets. `large` ones become files of their own at rest (64 KiB and more), small ones columns of a row. */
const LINES = { small: 5, large: 1_200 } as const
const RANDOM_BYTES = 30

export function write(way: Way, size: keyof typeof LINES): TestMail {
  return {
    token: `token-${way}-${size}-${randomBytes(6).toString('hex')}`,
    way,
    offered: 0,
    accepted: 0,
    kills: [],
    settled: new Set(),
    troubles: [],
  }
}

/** What a mail says follows from its token, so that nobody need keep it; what is fetched must have these octets after its header. */
export function bodyOf(token: string): string {
  const count = LINES[token.includes('-large-') ? 'large' : 'small']
  const random = createHash('shake256', { outputLength: count * RANDOM_BYTES })
    .update(token)
    .digest()
  const lines = Array.from(
    { length: count },
    (_, index) => `${MARKER} ${random.toString('base64', index * RANDOM_BYTES, (index + 1) * RANDOM_BYTES)}`,
  )
  return [token, ...lines, ''].join('\r\n')
}

export function outgoingText({ token }: TestMail, from: string, to: readonly string[]): string {
  const header = [
    `From: <${from}>`,
    `To: ${to.map((address) => `<${address}>`).join(', ')}`,
    `Subject: ${MARKER}`,
    `Message-ID: <${token}@terminal.example>`,
    'Date: Mon, 2 Nov 2026 10:00:00 +0900',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
  ]
  return [...header, '', bodyOf(token)].join('\r\n')
}
