import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as mailEvents from './mail-events.ts'

const BERT = 'bert@x.example'
const mail = { messageId: '<1@x.example>' }
const key = (digit: string, trust = 'chained', source = 'chain'): mailEvents.KeyFacts => ({
  address: BERT,
  fingerprint: digit.repeat(64),
  trust,
  source,
})

const copies: readonly [mailEvents.CopyFacts, string | RegExp, string][] = [
  [{ recipients: [BERT], protection: 'as-is' }, 'bert@x.example: as it came', 'its author has protected it'],
  [{ recipients: [BERT], protection: 'signed', standard: 'smime' }, 'bert@x.example: smime, signed only', 'no key'],
  [
    {
      recipients: [BERT],
      protection: 'encrypted',
      standard: 'smime',
      layering: 'encrypt-sign',
      layeringBy: ['surrogate'],
      cipher: 'aes-256-gcm',
      keys: [key('0', 'own', 'own')],
    },
    'bert@x.example: smime, encrypt-sign (their provider protects as we do), aes-256-gcm, for key 0000000000000000 of bert@x.example (own)',
    'standard, layers and why, cipher, keys and why they are believed',
  ],
  [
    {
      recipients: [BERT],
      protection: 'encrypted',
      keys: ['0', '1', '2', '3', '4', '5', '6'].map((digit) => key(digit, 'found', 'wkd')),
    },
    /for key 0{16} of bert@x\.example \(found, wkd\), .* key 4{16} of bert@x\.example \(found, wkd\) and 2 more$/,
    'many keys',
  ],
]
for (const [copy, says, why] of copies)
  test(`a copy is explained: ${why}`, () => {
    const facts = { ...mail, sender: 'ann@a.example', recipients: [BERT], copies: [copy], refused: [], reply: 'Queued' }
    const sentence = mailEvents.sentenceOf(mailEvents.queued(facts))
    if (typeof says === 'string') assert.equal(sentence, `Queued; ${says}`)
    else assert.match(sentence, says)
  })

test('a verdict says which rule, which standard, whose signature by which key, and why', () => {
  const facts: mailEvents.VerdictFacts = {
    ...mail,
    recipient: BERT,
    outcome: 'accept',
    rule: 'valid',
    signature: 'valid',
    encrypted: true,
    standard: 'smime',
    layers: [
      { kind: 'signed', algorithm: 'rsa-pss', verdict: 'valid' },
      { kind: 'encrypted', algorithm: 'aes-256-gcm', verdict: 'decrypted' },
    ],
    signer: 'ann@a.example',
    key: key('a', 'confirmed', 'admin'),
    authentication: 'spf=pass',
  }
  assert.equal(
    mailEvents.sentenceOf(mailEvents.verdict(facts)),
    'accept for bert@x.example: rule valid, smime, encrypted aes-256-gcm, signature valid by ann@a.example, ' +
      'key aaaaaaaaaaaaaaaa of bert@x.example (confirmed, admin); spf=pass',
  )
  assert.equal(mailEvents.levelOf(mailEvents.verdict(facts)), 'info')
  const bare = { ...facts, signature: 'invalid', encrypted: false, standard: 'none', layers: [], why: 'changed' }
  assert.match(
    mailEvents.sentenceOf(mailEvents.verdict(bare)),
    /rule valid, not encrypted, signature invalid .*; changed;/,
  )
  assert.equal(mailEvents.levelOf(mailEvents.verdict(bare)), 'warn')
})

test('words of a peer are one printable line wherever they are shown', () => {
  const { facts } = mailEvents.delivered({ ...mail, recipient: BERT, reply: '250 Ok\n{"event":"ready"}' })
  assert.equal(facts['reply'], '250 Ok {"event":"ready"}')
})
