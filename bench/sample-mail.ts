/** Mails of a given size, as a mail program writes them. */
import { randomBytes, randomUUID } from 'node:crypto'

export interface SampleMail {
  readonly header: Buffer
  readonly body: Buffer
}

const LINE_BYTES = 76

/** `bytes` is the size of header and body together, to a few bytes. */
export function sampleMail(bytes: number, from: string, to: string): SampleMail {
  const header = Buffer.from(
    [
      `From: Taro Azuma <${from}>`,
      `To: ${to}`,
      'Subject: The contract, with what was changed yesterday',
      `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
      `Message-ID: <${randomUUID()}@${from.slice(from.indexOf('@') + 1)}>`,
      'User-Agent: Mozilla Thunderbird',
      'MIME-Version: 1.0',
      'Content-Language: en-US',
      'Content-Type: text/plain; charset=utf-8; format=flowed',
      'Content-Transfer-Encoding: 7bit',
      '',
    ].join('\r\n'),
  )
  const wantedBytes = Math.max(LINE_BYTES, bytes - header.length)
  const body = Buffer.alloc(wantedBytes - (wantedBytes % (LINE_BYTES + 2)))
  const block = Buffer.from(randomBytes(64 * LINE_BYTES).toString('base64'), 'latin1') // text, but not compressible
  for (let at = 0, from = 0; at < body.length; at += LINE_BYTES + 2, from = (from + LINE_BYTES) % (block.length - 99)) {
    block.copy(body, at, from, from + LINE_BYTES)
    body.write('\r\n', at + LINE_BYTES, 'latin1')
  }
  return { header, body }
}

/** As it crosses the wire. */
export const wholeMail = ({ header, body }: SampleMail): Buffer =>
  Buffer.concat([header, Buffer.from('\r\n', 'latin1'), body])
