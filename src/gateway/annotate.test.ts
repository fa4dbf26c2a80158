import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePart } from '../message/parse.ts'
import { latin1, utf8 } from '../base/bytes.ts'
import { writeFields } from '../message/header-field.ts'
import { authenticationResults, receivedField, withoutForged } from './annotate.ts'

const HOST = 'mail.here.example'

const fields: readonly [line: string, kept: boolean, why: string][] = [
  [`Authentication-Results: ${HOST}; smime=pass`, false, 'our name'],
  [`authentication-RESULTS: ${HOST.toUpperCase()}; smime=pass`, false, 'in any case'],
  [`Authentication-Results: (x) ${HOST} 1; smime=pass`, false, 'behind a comment, with a version'],
  [`Authentication-Results:\r\n ${HOST}; smime=pass`, false, 'folded'],
  [`Authentication-Results: "${HOST}"; smime=pass`, false, 'quoted'],
  [`Authentication-Results: ${HOST}`, false, 'with nothing behind'],
  ['Authentication-Results: mx.other.example; dkim=pass', true, "another server's"],
  [`Authentication-Results: mx.other.example; x=${HOST}`, true, 'our name in the results of another server'],
  ['X-Sealpost-Status: Signature valid', false, 'our field'],
  ['X-SEALPOST: require', false, 'in any case'],
  ['x-sealpost-anything : x', false, 'blank before the colon'],
  ['X-Seal: x', true, 'not our field'],
  ['Autocrypt: addr=a@b.example; keydata=AAAA', false, 'a key, which is for 222'],
  ['Autocrypt-Gossip: addr=a@b.example; keydata=AAAA', false, 'somebody’s word on the key of another'],
  ['Autocrypt-Setup-Message: v1', true, 'a user’s own keys, on the way from one of their devices to the other'],
  ['Subject: X-Sealpost-Status: valid', true, 'only its name in the text'],
  ['Subject: a\r\n X-Sealpost-Status: valid', true, 'in a folded line it is no field to anybody'],
  ['Subject: a\rX-Sealpost-Status: valid', false, 'behind a lone CR it is one to some'],
  [`Subject: a\rAuthentication-Results: ${HOST}; smime=pass`, false, 'the same'],
  ['Subject: a\0X-Sealpost-Status: valid', false, 'the same behind NUL'],
  ['X-Sealpost-Status valid', false, 'a broken line'],
  ['no field at all', true, 'another broken line stays: bytes are not ours to change'],
]

for (const [line, kept, why] of fields)
  test(`a field from outside is ${kept ? 'kept' : 'removed'}: ${why}`, () => {
    const part = parsePart(utf8(`From: a@b.example\r\n${line}\r\nTo: c@d.example\r\n\r\n`))
    const left = latin1(writeFields(withoutForged(part.fields, HOST)))
    assert.equal(left, `From: a@b.example\r\n${kept ? `${line}\r\n` : ''}To: c@d.example\r\n`)
  })

const layer = {
  kind: 'signed',
  standard: 'smime',
  form: 'multipart/signed',
  algorithm: null,
  verdict: 'valid',
} as const
const results: readonly [
  summary: Partial<Parameters<typeof authenticationResults>[1]>,
  expected: RegExp,
  why: string,
][] = [
  [{}, /; smime=none$/, 'nothing'],
  [{ signature: 'valid', signer: 'a@b.example' }, /; smime=pass body\.smime-identifier=a@b\.example$/, 'valid'],
  [{ signature: 'invalid', reason: 'changed' }, /; smime=fail reason="changed"$/, 'tampered'],
  [{ signature: 'mismatch' }, /; smime=fail$/, 'somebody else'],
  [{ signature: 'revoked' }, /; smime=fail$/, 'revoked'],
  [{ signature: 'expired' }, /; smime=policy$/, 'expired'],
  [{ signature: 'untrusted' }, /; smime=policy$/, 'untrusted'],
  [{ signature: 'unknown-key' }, /; smime=neutral$/, 'unknown'],
  [{ signature: 'valid', signer: 'a;b@c.example' }, /; smime=pass$/, 'a signer that would end the result is not named'],
  [{ signature: 'valid', signer: 'a@b.example\r\nX: y' }, /; smime=pass$/, 'nor one with a line end'],
  [
    { signature: 'invalid', reason: 'a"; smime=pass\r\nX: \u0007é' },
    /reason="a\?; smime=pass\?\?X: \?\?"$/,
    'a reason cannot end itself',
  ],
]

for (const [summary, expected, why] of results)
  test(`Authentication-Results: ${why}`, () => {
    const field = authenticationResults(
      HOST,
      { encrypted: false, signature: 'none', signer: null, reason: null, fields: {}, notes: [], ...summary },
      [layer],
    )
    const text = latin1(field.raw)
      .replaceAll(/\r\n(?=[ \t])/g, '')
      .trimEnd()
    assert.match(text, expected)
    assert(text.startsWith(`Authentication-Results: ${HOST}; `))
    assert.equal(parsePart(field.raw).fields.length, 1, 'one field, whatever is in it')
  })

const session = { id: 's', kind: 'mx', peerAddress: '192.0.2.1', helo: 'x', protocol: 'ESMTP', tls: undefined } as const
const traces: readonly [
  facts: { helo?: string; kind?: 'mx' | 'submission'; recipient?: string },
  expected: RegExp,
  absent: RegExp,
][] = [
  [{ helo: 'mx.peer.example' }, /from mx\.peer\.example \(\[192\.0\.2\.1\]\) by mail\.here\.example/, / for /],
  [{ recipient: 'a@here.example' }, / for <a@here\.example>;/, /\0/],
  [{ helo: 'a\r\nX-Forged: b' }, /from a\?\?X-Forged:\?b /, /^X-Forged/m],
  [{ kind: 'submission', helo: 'anns-laptop' }, /^Received: by mail\.here\.example/, /anns-laptop|192\.0\.2\.1/],
]

for (const [{ recipient, ...facts }, expected, absent] of traces)
  test(`Received: ${JSON.stringify({ ...facts, recipient })}`, () => {
    const field = receivedField({ session: { ...session, ...facts }, hostname: HOST, id: 'i', recipient, nowMs: 0 })
    const text = latin1(field.raw).replaceAll(/\r\n(?=[ \t])/g, '')
    assert.match(text, expected)
    assert.doesNotMatch(text, absent)
  })
