/** The kinds of mail that people send, as prepared messages and as what a mail program needs to compose them. */
import { createHash } from 'node:crypto'
import { faxPage } from './tiff-f.ts'

export interface Sample {
  readonly name: string
  /** What must be in it, whoever wrote it. */
  readonly mark: RegExp
  /** A complete message as a mail program would write it, with CRLF line ends. */
  message(from: string, to: string): Buffer
  /** For programs that write the message themselves; without it they are given the message as a draft. */
  readonly compose?: {
    readonly subject: string
    readonly text: string
    readonly charset: 'utf-8' | 'iso-2022-jp'
    readonly attachment?: { readonly fileName: string; readonly bytes: Buffer }
  }
}

let lastId = 0

/** The fields that every message has; `more` are lines with their CRLF. */
export function head(from: string, to: string, more: string): string {
  const id = `${process.pid}.${++lastId}@terminal.example`
  return `Date: Sun, 22 Nov 2026 15:00:00 +0900\r\nFrom: ${from}\r\nTo: ${to}\r\nMessage-ID: <${id}>\r\n${more}`
}

const JIS_TEXT =
  "\x1b$BE:IU$N7@Ls=q$r$43NG'$/$@$5$$!#\x1b(B\r\n\x1b$B2A3J$OI4Fs==;0K|1_$G$9!#\x1b(B\r\n.\r\n\x1b$B0E9f2=$5$l$?%a!<%k\x1b(B\r\n"
const JAPANESE_TEXT = '添付の契約書をご確認ください。\n価格は百二十三万円です。\n.\n暗号化されたメール\n'

export const ISO_2022_JP: Sample = {
  name: 'Japanese in ISO-2022-JP',
  mark: /charset="?iso-2022-jp[^]*\r\n\r\n[^]*\$BE:IU/i,
  message: (from, to) =>
    Buffer.from(
      head(
        from,
        to,
        'Subject: =?ISO-2022-JP?B?GyRCN0BMcz1xJE43bxsoQg==?=\r\nMIME-Version: 1.0\r\n' +
          'Content-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n\r\n',
      ) + JIS_TEXT,
      'latin1',
    ),
  compose: { subject: '契約書の件', text: JAPANESE_TEXT, charset: 'iso-2022-jp' },
}

export const UTF_8: Sample = {
  name: 'Japanese in UTF-8',
  mark: /charset="?utf-8[^]*\r\n\r\n[^]*\xe6/i,
  message: (from, to) =>
    Buffer.from(
      head(
        from,
        to,
        'Subject: =?UTF-8?B?5aWR57SE5pu444Gu5Lu2?=\r\nMIME-Version: 1.0\r\n' +
          'Content-Type: text/plain; charset=UTF-8; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\n',
      ) + JAPANESE_TEXT.replaceAll('\n', '\r\n'),
    ),
  compose: { subject: '契約書の件', text: JAPANESE_TEXT, charset: 'utf-8' },
}

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

export const HTML: Sample = {
  name: 'HTML with an inline image',
  mark: /content-id: <pixel@terminal\.example>/i,
  message: (from, to) =>
    Buffer.from(`${head(
      from,
      to,
      'Subject: Newsletter\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="=_rel.1";\r\n\ttype="multipart/alternative"\r\n\r\n',
    )}This is a multi-part message in MIME format.\r
\r
--=_rel.1\r
Content-Type: multipart/alternative; boundary="=_alt 2"\r
\r
--=_alt 2\r
Content-Type: text/plain; charset=us-ascii\r
\r
Look at the picture.\r
\r
--=_alt 2\r
Content-Type: text/html; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
<html><body style=3D"margin:0"><p>Look at the picture, =E5=A5=91=E7=B4=84.=\r
</p><img src=3D"cid:pixel@terminal.example"></body></html>\r
\r
--=_alt 2--\r
\r
--=_rel.1\r
Content-Type: image/png; name="pixel.png"\r
Content-ID: <pixel@terminal.example>\r
Content-Disposition: inline; filename="pixel.png"\r
Content-Transfer-Encoding: base64\r
\r
${PIXEL.slice(0, 76)}\r
${PIXEL.slice(76)}\r
--=_rel.1--\r
`),
}

const PAGE = faxPage(1100)

export const FAX: Sample = {
  name: 'Internet fax (RFC 3965)',
  mark: /image\/tiff; application=faxbw/i,
  message: (from, to) =>
    withAttachment(from, to, 'Subject: Facsimile\r\nDisposition-Notification-To: ' + from + '\r\n', {
      type: 'image/tiff; application=faxbw; name="page.tif"',
      fileName: 'page.tif',
      bytes: PAGE,
    }),
}

/** Bytes that look random and are the same each time. */
export function noise(lengthBytes: number): Buffer {
  const block = Buffer.concat(
    Array.from({ length: 2048 }, (_none, index) => createHash('sha512').update(String(index)).digest()),
  )
  return Buffer.alloc(lengthBytes, block)
}

const LARGE_BYTES = 20_000_000

export const LARGE: Sample = {
  name: 'a 20 MB attachment',
  mark: /filename="?plans\.bin/i,
  message: (from, to) =>
    withAttachment(from, to, 'Subject: Plans\r\n', {
      type: 'application/octet-stream',
      fileName: 'plans.bin',
      bytes: noise(LARGE_BYTES),
    }),
  compose: {
    subject: 'Plans',
    text: 'See attachment.\n',
    charset: 'utf-8',
    attachment: { fileName: 'plans.bin', bytes: noise(LARGE_BYTES) },
  },
}

export const SAMPLES: readonly Sample[] = [ISO_2022_JP, UTF_8, HTML, FAX, LARGE]

function withAttachment(
  from: string,
  to: string,
  fields: string,
  { type, fileName, bytes }: { readonly type: string; readonly fileName: string; readonly bytes: Buffer },
): Buffer {
  const before = `${head(from, to, fields)}MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="----=_Part"\r
\r
------=_Part\r
Content-Type: text/plain; charset=us-ascii\r
\r
See attachment.\r
------=_Part\r
Content-Type: ${type}\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment; filename="${fileName}"\r
\r
`
  const lines = bytes.toString('base64').replaceAll(/.{76}(?=.)/g, '$&\r\n')
  return Buffer.from(`${before}${lines}\r\n------=_Part--\r\n`, 'latin1')
}
