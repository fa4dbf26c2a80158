import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromLatin1 } from '../base/bytes.ts'
import { parsePart } from '../message/parse.ts'
import type { KeyFinder } from '../keys/find.ts'
import type { Findings } from '../protection/jobs.ts'
import type { SignatureVerdict, StandardName } from '../protection/standard.ts'
import type { ArrivedMail, OpenedMail } from './arrived-mail.ts'
import type { ProtectionPool } from './protect.ts'
import { openKnowingAuthor } from './open-knowing-author.ts'

type Layers = readonly (readonly [kind: 'signed' | 'encrypted', standard: StandardName])[]

const findings = (signature: SignatureVerdict, layers: Layers, signer?: StandardName): Findings =>
  ({
    summary: { signature },
    layers: layers.map(([kind, standard]) => ({ kind, standard })),
    signers: signer === undefined ? [] : [{ standard: signer, verdict: signature }],
  }) as unknown as Findings

/** How often the mail was opened, and whose keys were asked for. */
async function opening(report: Findings, from: string, news: boolean): Promise<string> {
  const log: string[] = []
  const opened = { reports: [report], [Symbol.asyncDispose]: async () => void log.push('closed') }
  const arrived = {
    message: parsePart(fromLatin1(`From: ${from}\r\n\r\n`)),
    open: async () => {
      log.push('opened')
      return opened as unknown as OpenedMail
    },
  } as unknown as ArrivedMail
  const finder = {
    finds: (standard: StandardName) => standard === 'openpgp',
    learn: async (address: string) => {
      log.push(`asked for ${address}`)
      return news
    },
  } as unknown as KeyFinder
  await openKnowingAuthor({ pool: {} as ProtectionPool, finder }, arrived, async () => [], 0)
  return log.join(', ')
}

describe('a mail whose author may have keys that are not known', () => {
  const ASKED = 'opened, asked for a@b.example'
  const [SIGNED, ENCRYPTED] = [['signed', 'openpgp'] as const, ['encrypted', 'openpgp'] as const]
  const cases: readonly [report: Findings, asked: boolean, why: string][] = [
    [findings('unknown-key', [SIGNED]), true, 'signed by a key that is not known'],
    [findings('unknown-key', [ENCRYPTED, SIGNED]), true, 'the same, encrypted'],
    [findings('untrusted', [SIGNED], 'openpgp'), true, 'signed by a key that it brings along'],
    [findings('untrusted', [['signed', 'smime']], 'smime'), false, 'the same in S/MIME, which is not looked up'],
    [findings('unknown-key', [['encrypted', 'smime'], SIGNED]), false, 'decrypted, and nothing proves the content'],
    [findings('valid', [SIGNED], 'openpgp'), false, 'signed by a key that is believed'],
    [findings('invalid', [SIGNED], 'openpgp'), false, 'tampered with'],
    [findings('none', [ENCRYPTED]), false, 'not signed'],
  ]
  for (const [report, asked, why] of cases)
    test(why, async () => {
      assert.equal(await opening(report, 'a@b.example', false), asked ? ASKED : 'opened')
      assert.equal(await opening(report, 'a@b.example', true), asked ? `${ASKED}, closed, opened` : 'opened')
    })

  test('nobody is asked for where there is no single author', async () =>
    assert.equal(await opening(findings('unknown-key', [SIGNED]), 'a@b.example, c@d.example', true), 'opened'))
})
