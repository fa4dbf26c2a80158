/**
 * Autocrypt abuse (its specification protects against nobody who writes mail): whoever can write a mail can write a
 * key into its header, for the author it claims to have, for somebody else, or for the other recipients. Here such a key waits as a
 * candidate, of its From only; nothing is encrypted to it, and it takes nobody's place.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { concatBytes, fromLatin1 } from '../../src/base/bytes.ts'
import { readArmor } from '../../src/protection/openpgp/armor.ts'
import { PACKET, readPackets } from '../../src/protection/openpgp/packets/packet.ts'
import { type Person, makePerson } from '../support/openpgp-maker.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'

const READER = 'anna@abc.example'
const ALICE = 'alice@peer.example'
const CAROL = 'carol@peer.example'
const CANDIDATES_MAX = 20
const PASSWORD = 'correct horse battery'

const keyData = (packets: readonly Uint8Array[]): string =>
  Buffer.from(concatBytes(packets)).toString('base64').replaceAll(/.{70}/g, '$&\r\n ')

describe('keys that anybody writes into a header', () => {
  let provider: Provider
  before(async () => {
    provider = await makeProvider({ domains: ['abc.example'], config: { policy: { standards: ['openpgp', 'smime'] } } })
    await provider.cli(['user', 'add', READER, '--password-stdin'], PASSWORD)
    await provider.start()
  })
  after(() => provider[Symbol.asyncDispose]())

  let count = 0
  async function deliver(from: string, field: string): Promise<void> {
    const header = `From: ${from}\r\nTo: ${READER}\r\nSubject: Hello\r\nMessage-ID: <${count++}@peer.example>\r\n`
    const message = `${header}${field}\r\n\r\nHello\r\n`
    assert.match(await sendUnauthenticated(provider.ports.mx, from, { to: [READER], message }), /^250/)
  }
  const autocrypt = (address: string, packets: readonly Uint8Array[], name = 'Autocrypt'): string =>
    `${name}: addr=${address}; prefer-encrypt=mutual; keydata=\r\n ${keyData(packets)}`
  const trustIn = async (address: string): Promise<string[]> =>
    (await provider.cli(['key', 'list', address])).map((key) => String(key['trust']))
  const mine = (address: string): Person => makePerson(`Alice <${address}>`)

  test('for the author it claims to have: a candidate, and nothing is encrypted to it', async () => {
    await deliver(ALICE, autocrypt(ALICE, mine(ALICE).packets))
    assert.deepEqual(await trustIn(ALICE), ['candidate'])
    const message = `From: ${READER}\r\nTo: ${ALICE}\r\nSubject: Hello\r\n\r\nHello\r\n`
    const to = [ALICE]
    const { reply } = await submit({ port: provider.ports.submission, user: READER, password: PASSWORD, to, message })
    assert.match(reply, /only signed for alice@peer\.example/)
  })

  test('for somebody else, by an author who is not them, or as gossip: not kept', async () => {
    const key = mine(CAROL).packets
    await deliver(ALICE, autocrypt(CAROL, key))
    await deliver(ALICE, autocrypt(ALICE, key))
    await deliver(ALICE, autocrypt(CAROL, key, 'Autocrypt-Gossip'))
    await deliver(`${ALICE}, ${CAROL}`, autocrypt(CAROL, key)).catch(() => undefined) // may be refused
    assert.deepEqual(await trustIn(CAROL), [])
  })

  test('twice in one mail: neither', async () => {
    const twice = [mine(CAROL), mine(CAROL)].map(({ packets }) => autocrypt(CAROL, packets)).join('\r\n')
    await deliver(CAROL, twice)
    assert.deepEqual(await trustIn(CAROL), [])
  })

  test('beside a key that an administrator has confirmed: that one is used, however many come', async () => {
    const alice = mine(ALICE)
    const file = join(provider.dir, 'alice.pgp')
    await writeFile(file, concatBytes(alice.packets))
    await provider.cli(['key', 'import', file])
    for (let i = 0; i < CANDIDATES_MAX + 5; i++) await deliver(ALICE, autocrypt(ALICE, mine(ALICE).packets))
    const trust = await trustIn(ALICE)
    assert.equal(trust.filter((each) => each === 'confirmed').length, 1)
    assert.ok(trust.length <= CANDIDATES_MAX + 1, `${trust.length} keys`)
    const draft = join(provider.dir, 'draft.eml')
    await writeFile(draft, `From: ${READER}\r\nTo: ${ALICE}\r\nSubject: Plan\r\n\r\nSecret\r\n`)
    const sealed = await provider.cli(['seal', draft, '--from', READER])
    const copy = sealed.find(({ recipients }) => String(recipients).includes(ALICE))
    const [block] = readArmor(fromLatin1(String(copy?.['message'])))
    const named = readPackets(block?.bytes ?? new Uint8Array())
      .filter(({ type }) => type === PACKET.PKESK)
      .map(({ body }) => Buffer.from(body.subarray(1, 9)).toString('hex'))
    assert.ok(named.includes(Buffer.from(alice.encrypting.packet.keyId).toString('hex')), named.join())
    assert.ok(named.length <= 2, 'hers, and the sender’s own')
  })
})
