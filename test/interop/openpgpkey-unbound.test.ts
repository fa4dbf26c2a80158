/** Keys in the DNS (RFC 7929): a zone signed by ldns, a validating unbound, and which of its answers count. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKey } from 'openpgp'
import { createDnsClient } from '../../src/base/dns-client.ts'
import { readFound } from '../../src/keys/found-keys.ts'
import { keySources } from '../../src/keys/key-sources.ts'
import { parseAddress } from '../../src/message/address.ts'
import { type ZoneOrder, needsUnbound, startSignedDns } from '../support/signed-dns.ts'

/** Of hugh@example.com, from RFC 7929. */
const LABEL = 'c93f1e400f26708f98cb19d936620da35eec8f72e57f9eec01c1afd6._openpgpkey'

const cases: readonly [state: ZoneOrder['state'], who: string, found: string, why: string][] = [
  ['signed', 'hugh@example.com', 'hugh@example.com', 'signed'],
  ['signed', 'jane@example.com', '', 'signed, and it says that there is none'],
  ['unsigned', 'hugh@example.com', '', 'not signed'],
  ['bogus', 'hugh@example.com', 'SERVFAIL', 'changed on the way'],
]
for (const [state, who, found, why] of cases)
  test(`a zone that is ${why}`, needsUnbound(), async () => {
    const { publicKey } = await generateKey({ userIDs: [{ email: 'hugh@example.com' }], format: 'object' })
    const key = Buffer.from(publicKey.write())
    const begin = key.toString('base64').slice(0, 16)
    const records = [`${LABEL} TYPE61 \\# ${key.length} ${key.toString('hex')}`]
    await using dns = await startSignedDns([
      { name: 'example.com', records, ...(state !== undefined && { state }), change: [begin, 'A'.repeat(16)] },
    ])
    const [source] = keySources(
      { dns: true, wkd: false, vks: [], hkp: [] },
      {
        fetch: () => assert.fail('nothing is fetched'),
        lookUp: () => assert.fail('no host is looked up'),
        askDns: createDnsClient({ server: dns.resolver }),
        read: readFound,
      },
    )
    const address = parseAddress(who)
    assert(source !== undefined && address !== undefined)
    const answer = await source.ask(address, AbortSignal.timeout(20_000))
    const addresses = answer.ok ? source.read(answer.value, address).map((each) => each.addresses.join('+')) : []
    assert.equal(answer.ok ? addresses.join(' ') : answer.error, found)
  })
