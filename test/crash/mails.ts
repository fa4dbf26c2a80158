/** What the users write. Every line holds the marker: where it is found, plaintext has come to the disk. */
import { randomBytes } from 'node:crypto'
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

/** `large` ones become files of their own at rest (64 KiB and more), small ones columns of a row. */
export function write(way: Way, size: 'small' | 'large'): TestMail {
  const token = `token-${way}-${size}-${randomBytes(6).toString('hex')}`
  const lines = Array.from(
    { length: size === 'small' ? 5 : 1_200 },
    () => `${MARKER} ${randomBytes(30).toString('base64')}`,
  )
  return {
    token,
    way,
    body: [token, ...lines, ''].join('\r\n'),
    offered: 0,
    accepted: 0,
    kills: [],
    settled: new Set(),
    troubles: [],
  }
}

export function outgoingText({ token, body }: TestMail, from: string, to: readonly string[]): string {
  const header = [
    `From: <${from}>`,
    `To: ${to.map((address) => `<${address}>`).join(', ')}`,
    `Subject: ${MARKER}`,
    `Message-ID: <${token}@terminal.example>`,
    'Date: Mon, 2 Nov 2026 10:00:00 +0900',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
  ]
  return [...header, '', body].join('\r\n')
}
