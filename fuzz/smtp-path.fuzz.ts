/** The arguments of MAIL and RCPT: no throw; what was read, said again, reads the same. */
import assert from 'node:assert/strict'
import { fromLatin1, utf8 } from '../src/base/bytes.ts'
import { parseDomain } from '../src/message/address.ts'
import { encodeXtext, parseMailArgument, parseRcptArgument, postmasterOf } from '../src/protocol/smtp-path.ts'

const own = parseDomain('abc.example')
assert(own !== undefined)
const postmaster = postmasterOf(own)

export function target(bytes: Uint8Array): void {
  const text = new TextDecoder('utf-8').decode(bytes)
  const mail = parseMailArgument(text)
  if (mail.ok) {
    const { reversePath, smtpUtf8, body, declaredSizeBytes, dsn } = mail.value
    const again = [
      `FROM:<${reversePath.address}> BODY=${body}`,
      ...(smtpUtf8 ? ['SMTPUTF8'] : []),
      ...(declaredSizeBytes === undefined ? [] : [`SIZE=${BigInt(declaredSizeBytes)}`]),
      ...(dsn.ret === undefined ? [] : [`RET=${dsn.ret}`]),
    ]
    assert.deepEqual(parseMailArgument(again.join(' ')), { ok: true, value: withoutEnvid(mail.value) })
    assert(dsn.envid === undefined || /^[\x20-\x7e]*$/.test(dsn.envid))
  }
  const rcpt = parseRcptArgument(text, { smtpUtf8: true, postmaster })
  if (!rcpt.ok) return
  const { notify, orcpt } = rcpt.value.dsn
  const again = `TO:<${rcpt.value.address}>${notify === undefined ? '' : ` NOTIFY=${notify}`}`
  const full = orcpt === undefined ? again : `${again} ORCPT=${encodeXtext(orcpt)}`
  if (full.length < 400) assert.deepEqual(parseRcptArgument(full, { smtpUtf8: true, postmaster }), rcpt)
}

function withoutEnvid(mail: { readonly dsn: { readonly ret?: string; readonly envid?: string } }): unknown {
  return { ...mail, dsn: mail.dsn.ret === undefined ? {} : { ret: mail.dsn.ret } }
}

export function seeds(): Uint8Array[] {
  return [
    fromLatin1('FROM:<a@b.example> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=QQ+2B314'),
    fromLatin1('FROM:<@x.example,@y.example:"a \\"b>"@[IPv6:2001:db8::1]>'),
    fromLatin1('FROM:<>'),
    utf8('FROM:<ü@bücher.example> SMTPUTF8'),
    fromLatin1('TO:<Postmaster>'),
    utf8('TO:<a@b.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=utf-8;ü+40b.example'),
  ]
}
