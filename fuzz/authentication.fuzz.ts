/** DKIM, ARC, SPF, DMARC and TLSRPT on foreign bytes, with a name server that answers with the same: no throw, bounded questions and time. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { beginAuthentication, finishAuthentication } from '../src/authentication/authenticate.ts'
import { authenticationWords } from '../src/authentication/results.ts'
import { latin1, fromLatin1, utf8 } from '../src/base/bytes.ts'
import type { DnsAsk } from '../src/base/dns-client.ts'
import { fieldBody } from '../src/message/header-field.ts'
import { parsePart } from '../src/message/parse.ts'
import { bodyOf } from '../src/message/part.ts'
import { readReportRecord } from '../src/relay/tls-reports/record.ts'

const MS_MAX = 2_000
/** SPF 150, signatures and seals 19, DMARC 5 authors, each with 10 walks. */
const QUESTIONS_MAX = 600

export async function target(bytes: Uint8Array): Promise<void> {
  const startMs = performance.now()
  const part = parsePart(bytes)
  const texts = [latin1(bodyOf(part)), ...part.fields.map(fieldBody)]
  let questions = 0
  const ask: DnsAsk = (_name, type) => {
    const text = texts[questions++ % texts.length] ?? ''
    const records = type === 'MX' ? [{ preference: 1, exchange: text }] : [text, '192.0.2.1']
    return Promise.resolve({ kind: 'records', records: records as never[], secure: false })
  }
  for (const text of texts) assert(readReportRecord([text, `v=TLSRPTv1;${text}`]).length <= 5)
  const begun = beginAuthentication(part.fields)
  const body = bodyOf(part)
  begun.bodies.write(body.subarray(0, 7))
  begun.bodies.write(body.subarray(7))
  begun.bodies.end()
  const client = { ip: '192.0.2.1', mailFrom: texts.at(-1) ?? '', helo: texts.at(-2) ?? '' }
  const words = authenticationWords(await finishAuthentication(begun, client, { ask, nowMs: 0 }))
  for (const word of words) assert.match(word, /^(?:spf|dkim|arc|dmarc)=[a-z]+(?: [ -~]*)?$/)
  assert(questions <= QUESTIONS_MAX, `${questions} questions`)
  assert(performance.now() - startMs < MS_MAX, 'too slow')
}

export function seeds(): Uint8Array[] {
  return [
    fromLatin1('From: a@b.example\r\nX: v=TLSRPTv1; rua=mailto:a%40b@c.example,https://d.example/e\r\n\r\n'),
    readFileSync(new URL('../test/vectors/rfc8463/appendix-a.eml', import.meta.url)),
    fromLatin1(
      'From: a@b.example\r\nX: v=spf1 a:%{ir}.%{v}._spf.%{d2} include:c.example mx/24//64 -all\r\n\r\nv=spf1 ?all',
    ),
    fromLatin1('From: a@b.example\r\nX: v=DMARC1; p=reject; sp=none; np=quarantine; psd=u; t=y\r\n\r\nv=DMARC1; psd=y'),
    fromLatin1(
      'ARC-Seal: i=1; a=rsa-sha256; cv=none; d=b.example; s=s; b=AAAA\r\nARC-Message-Signature: i=1; a=rsa-sha256;\r\n c=simple/relaxed; d=b.example; s=s; h=from:to; l=3; bh=AAAA; b=AAAA\r\nARC-Authentication-Results: i=1; b.example; dmarc=pass\r\nFrom: a@b.example\r\n\r\nk=ed25519; p=AAAA',
    ),
    utf8('From: ä@ö.example\r\nDKIM-Signature: v=1; a=ed25519-sha256; d=ö.example; s=ü; h=from; bh=; b=\r\n\r\n'),
  ]
}
