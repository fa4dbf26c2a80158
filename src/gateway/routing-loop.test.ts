import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '../base/bytes.ts'
import { writeFields } from '../message/header-field.ts'
import { parsePart } from '../message/parse.ts'
import type { SessionFacts } from '../protocol/smtp-session.ts'
import { receivedField } from './annotate.ts'
import { HOPS_MAX, isLoop, OWN_PASSES_MAX, SAME_RECIPIENT_MAX } from './routing-loop.ts'

const ID = '0b1c2d3e-0000-4000-8000-000000000000'
const session = { kind: 'mx', helo: 'other.example', peerAddress: '2001:db8::1', protocol: 'ESMTPS' } as SessionFacts
const tls = { protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' }

function ours(recipient: string | undefined, hostname = 'mx.here.example', facts: Partial<SessionFacts> = {}): string {
  const trace = { session: { ...session, tls, ...facts }, hostname, id: ID, recipient, nowMs: 0 }
  return Buffer.from(writeFields([receivedField(trace)])).toString()
}

const submitted = ours(undefined, undefined, { kind: 'submission' })
const OTHERS =
  'Received: from a.example by b.example with ESMTP id 1 for <u@here.example>; Sun, 22 Nov 2026 10:00:00 +0000\r\n'

const rows: readonly [header: string, loop: boolean, why: string][] = [
  ['', false, 'no hop at all'],
  [OTHERS.repeat(HOPS_MAX), false, 'many hops, none of them here'],
  [OTHERS.repeat(HOPS_MAX + 1), true, 'more hops than any way has'],
  [ours('u@here.example').repeat(SAME_RECIPIENT_MAX - 1), false, 'sent on by its reader, and back'],
  [(ours('u@here.example') + OTHERS).repeat(SAME_RECIPIENT_MAX), true, 'again and again to the same reader'],
  [ours('U@Here.Example').repeat(SAME_RECIPIENT_MAX), true, 'in any case'],
  [ours('v@here.example').repeat(SAME_RECIPIENT_MAX), false, 'to somebody else before'],
  [ours('u@here.example', 'mx.other.example').repeat(SAME_RECIPIENT_MAX), false, 'by another host'],
  [submitted.repeat(OWN_PASSES_MAX), false, 'passed on among users'],
  [submitted.repeat(OWN_PASSES_MAX + 1), true, 'more often than users do'],
  ['X-Received: x\r\n'.repeat(HOPS_MAX + 1), false, 'another field'],
  [`Received: by mx.here.example with x; y <${'<'.repeat(50_000)}\r\n`, false, 'a long one that is not ours'],
]

for (const [header, loop, why] of rows)
  test(`${loop ? 'a' : 'no'} routing loop: ${why}`, () => {
    const { fields } = parsePart(utf8(`${header}\r\n`))
    assert.equal(isLoop(fields, 'MX.here.example', ['w@here.example', 'u@here.example']), loop)
  })
