/**
 * From spoofing: a mail that is rightly signed, by somebody else than the reader believes. The tricks are those of
 * Müller et al., "Johnny, you are fired! Spoofing OpenPGP and S/MIME Signatures in Emails" (USENIX Security 2019, "ID
 * attacks"), and of Shen et al., "Weak Links in Authentication Chains" (USENIX Security 2021). Mallory's own certificate
 * is known and trusted here; what she signs is valid for her, and for nobody else.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authenticationResults } from '../../src/gateway/annotate.ts'
import { explainToReader } from '../../src/policy/explain.ts'
import { SECRET, bob, headerFrom, mallory, receivedByBob, shown } from '../support/attack.ts'
import { protectedMail } from '../support/protected-mail.ts'
import { ALICE, MALLORY } from '../support/tampering.ts'

const NUL = '\0'

/** `told`: valid for Mallory, and the reader is told what is odd. */
const tricks: readonly [from: string, fate: 'refused' | RegExp, why: string][] = [
  [`From: ${ALICE}`, 'refused', 'simply her address'],
  [`From: ${ALICE}\r\nFrom: ${MALLORY}`, 'refused', 'two From fields, hers first'],
  [`From: ${MALLORY}\r\nFrom: ${ALICE}`, 'refused', 'two From fields, hers last'],
  [`From: ${MALLORY}\r\nFROM : ${ALICE}`, 'refused', 'two From fields in different spellings'],
  [`From: ${MALLORY}\r\n\tFrom: ${ALICE}`, 'refused', 'a From in the folding of another'],
  [`From: ${ALICE}, ${MALLORY}`, 'refused', 'two authors, the signer last'],
  [`From: ${MALLORY}, ${ALICE}`, 'refused', 'two authors, the signer first'],
  [`From: ${ALICE}, ${MALLORY}\r\nSender: ${MALLORY}`, 'refused', 'two authors, and the sender signs'],
  [`From: ${ALICE}\r\nSender: ${MALLORY}`, 'refused', 'the sender signs (RFC 8550 §3 would let that pass)'],
  [`From: ${ALICE}\r\nReply-To: ${MALLORY}`, 'refused', 'Reply-To signs'],
  [`From: ${ALICE} <${MALLORY}>`, 'refused', 'her address as an unquoted name'],
  [`From: <${ALICE}> <${MALLORY}>`, 'refused', 'two brackets'],
  [`From: <${MALLORY}> ${ALICE}`, 'refused', 'her address behind the brackets'],
  [`From: ${MALLORY} (${ALICE})`, 'refused', 'her address in a comment'],
  [`From: (${ALICE}) ${MALLORY}`, 'refused', 'her address in a comment before'],
  [`From: (\r\n) <${ALICE}>(${MALLORY})`, 'refused', 'comments around'],
  [`From: =?utf-8?q?alice=40peer=2Eexample?= <${MALLORY}>`, 'refused', 'her address in an encoded word'],
  [`From: =?utf-8?b?YWxpY2VAcGVlci5leGFtcGxlIDw=?= <${MALLORY}>`, 'refused', 'and half a bracket'],
  [`From: =?utf-8?b?YWxpY2VAcGVlci5leGFtcGxl?=@evil.example`, 'refused', 'an encoded word before the at sign'],
  [`From: <${ALICE}${NUL}@evil.example>`, 'refused', 'NUL in the address'],
  [`From: ${ALICE}${NUL}, ${MALLORY}`, 'refused', 'NUL after the address'],
  [`From: ${ALICE}\r${MALLORY}`, 'refused', 'a lone CR'],
  [`From: "${ALICE}"@evil.example`, 'refused', 'her address as a quoted local part'],
  [`From: ${ALICE}@evil.example`, 'refused', 'two at signs'],
  [`From: <${ALICE}\\,@evil.example>`, 'refused', 'an escape outside of quotes'],
  [`From: <@${ALICE},@any:${MALLORY}>`, 'refused', 'her address in a route'],
  [`From: G: ${ALICE}, ${MALLORY};`, 'refused', 'a group of both'],
  [`From: ${ALICE};${MALLORY}`, 'refused', 'a semicolon'],
  [`X-A: b\r\n From: ${ALICE}\r\nFrom: ${MALLORY}`, /written by mallory@evil\.example/, 'a From that is folding'],
  [`From: "${ALICE}" <${MALLORY}>`, /shows alice@peer\.example, which is not/, 'her address as a quoted name'],
  [`From: "Alice <${ALICE}>" <${MALLORY}>`, /shows alice@peer\.example, which is not/, 'with brackets'],
  [`From: "${ALICE}": ${MALLORY};`, /shows alice@peer\.example, which is not/, 'as the name of a group'],
  [`From: "=?utf-8?q?alice=40peer=2Eexample?=" <${MALLORY}>`, /shows alice@peer\.example/, 'encoded, in quotes'],
  [`From: "elpmaxe.reep@ecila \u202e" <${MALLORY}>`, /direction-changing/, 'written backwards'],
  [`From: <@peer.example:${MALLORY}>`, /written by mallory@evil\.example/, 'a route through her domain'],
  [`From: Alice Example <${MALLORY}>`, /written by mallory@evil\.example/, 'her name, which anybody may bear'],
  [`From: ${MALLORY}\r\nSender: ${ALICE}`, /Sender names alice@peer\.example/, 'she is said to have sent it'],
]

for (const [from, fate, why] of tricks)
  for (const headerProtection of [true, false])
    test(`Mallory signs, and says she is Alice: ${why}${headerProtection ? ', with header protection' : ''}`, () => {
      const received = receivedByBob(signedByMallory(from, headerProtection))
      const { summary, layers } = received.report
      if (fate === 'refused') {
        assert.notEqual(summary.signature, 'valid')
        assert.equal(received.outcome, 'refused 5.7.7', summary.reason ?? '')
        assert.equal(shown(received), '')
        return
      }
      assert.deepEqual([received.outcome, summary.signer], ['valid', MALLORY])
      const status = explainToReader(summary, received.decision)
      assert.match(status, /Signature valid: written by mallory@evil\.example/)
      assert.match(status, fate)
      const results = Buffer.from(authenticationResults('mx.example', summary, layers).raw).toString()
      assert.match(results.replaceAll('\r\n', ''), /smime=pass body\.smime-identifier=mallory@evil\.example/)
    })

function signedByMallory(from: string, headerProtection: boolean): Buffer {
  const rest = headerFrom(MALLORY).replace(/^From: .*\r\n/m, '')
  return protectedMail({
    layering: 'sign',
    signer: mallory,
    recipients: [bob],
    header: `${from}\r\n${rest}`,
    body: `${SECRET}\r\n`,
    headerProtection,
  })
}
