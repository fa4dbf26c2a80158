import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { NOW_MS, type Entity, keyNamed, makeAuthority } from '../../../../test/support/x509-maker.ts'
import { sequence } from '../asn1/der-writer.ts'
import { parseCertificate } from './certificate.ts'
import { EXTENSION } from './extensions.ts'
import { searchPath } from './path-search.ts'
import {
  COMMON_NAME,
  authorityKeyIdentifier,
  basicConstraints,
  dnsName,
  keyIdOf,
  mailboxName,
  subjectAltName,
  subjectKeyIdentifier,
  writeCertificate,
  writeExtension,
  writeName,
} from './write-certificate.ts'

const root = makeAuthority({ name: 'root' })
const keyNames = [authorityKeyIdentifier(keyIdOf(root.certificate.spki)), subjectKeyIdentifier(Uint8Array.of(1))]
const [issuerKeyId, ownKeyId] = keyNames
assert.ok(issuerKeyId !== undefined && ownKeyId !== undefined)

interface Order {
  readonly serial?: string
  readonly subject?: Uint8Array
  readonly extensions?: readonly Uint8Array[]
  readonly name?: string
}

/** With the extensions that are given and no other; `serial` in hex, as the content of the INTEGER. */
function issue(issuer: Entity, { serial = '01', subject, extensions = keyNames, name = 'leaf' }: Order): Entity {
  const key = keyNamed(name)
  const der = writeCertificate(
    {
      serial: Buffer.from(serial, 'hex'),
      issuer: issuer.certificate.subjectName,
      subject: subject ?? writeName([[COMMON_NAME, name]]),
      notBeforeMs: NOW_MS - 1000,
      notAfterMs: NOW_MS + 1000,
      spki: createPublicKey(key).export({ type: 'spki', format: 'der' }),
      extensions,
    },
    issuer.key,
  )
  const parsed = parseCertificate(der)
  assert.ok(parsed.ok, 'the certificate can be read')
  return { certificate: parsed.value, key }
}

function whyNot(leaf: Entity, others: readonly Entity[] = [], anchor = root, strictIssuers = false): string {
  const found = searchPath({
    certificate: leaf.certificate,
    untrusted: others.map(({ certificate }) => certificate),
    anchors: [anchor.certificate],
    atMs: NOW_MS,
    strictIssuers,
  })
  return found.trusted ? 'trusted' : found.why
}

const withSan = (critical: boolean, ...names: readonly Uint8Array[]): readonly Uint8Array[] => [
  ...keyNames,
  subjectAltName(names, critical),
]
const mailbox = mailboxName('user@abc.example')
const nameless = sequence()
const negative = /negative/
const keyless = /does not name the key that signed it/
const noHost = /host name in the certificate is none/

const cases: readonly [order: Order, why: RegExp | 'trusted', what: string][] = [
  [{}, 'trusted', 'nothing neglected'],
  [{ serial: '00' }, /zero/, 'a serial number of 0'],
  [{ serial: '80' }, negative, 'a negative serial number'],
  [{ serial: '7f'.repeat(20) }, 'trusted', 'a serial number of 20 octets'],
  [{ serial: `00${'ff'.repeat(20)}` }, 'trusted', 'a serial number of 20 octets, and one for the sign'],
  [{ serial: '7f'.repeat(21) }, /too long/, 'a serial number of 21 octets'],
  [{ extensions: [ownKeyId] }, keyless, 'no authorityKeyIdentifier'],
  [{ extensions: [issuerKeyId] }, 'trusted', 'no subjectKeyIdentifier, which users need not have'],
  [{ extensions: withSan(false, mailbox) }, 'trusted', 'a mailbox'],
  [{ extensions: withSan(true, mailbox), subject: nameless }, 'trusted', 'no subject, and a critical subjectAltName'],
  [{ extensions: withSan(false, mailbox), subject: nameless }, /not critical/, 'no subject, and one that is not'],
  [{ extensions: withSan(false, dnsName('*.abc.example')) }, 'trusted', 'a wildcard'],
  [{ extensions: withSan(false, mailbox, dnsName('a_b.example')) }, noHost, 'an underscore in a host name'],
  [{ extensions: withSan(false, mailbox, dnsName('192.0.2.1')) }, noHost, 'an address as host name'],
  [{ extensions: withSan(false, mailbox, dnsName('a.*.example')) }, noHost, 'a wildcard in the middle'],
]
for (const [order, why, what] of cases)
  test(what, () => {
    const found = whyNot(issue(root, order))
    if (why === 'trusted') assert.equal(found, why)
    else assert.match(found, why)
  })

test('an authority in between must name its key', () => {
  const authority = [basicConstraints(0)]
  const named = issue(root, { name: 'sub', extensions: [...keyNames, ...authority] })
  const careless = issue(root, { name: 'sub', extensions: [issuerKeyId, ...authority] })
  const user = issue(named, {})
  assert.equal(whyNot(user, [named]), 'trusted')
  assert.match(whyNot(user, [careless]), /sub: the authority does not name its key/)
})

test('an anchor need not: its name and its key count; but no serial number is negative', () => {
  const older = (serial: string) => issue(root, { serial, name: 'older', extensions: [basicConstraints(0)] })
  for (const [serial, why] of [
    ['00', 'trusted'],
    ['ff', 'CN=older: the serial number is negative'],
  ] as const) {
    const anchor = older(serial)
    assert.equal(whyNot(issue(anchor, {}), [], anchor), why)
  }
})

test('strictly, an anchor has the duties of every authority, and what must be critical is', () => {
  const authority = (name: string, extensions: readonly Uint8Array[]) => issue(root, { name, extensions })
  const critical = basicConstraints(0)
  const uncritical = writeExtension(EXTENSION.basicConstraints, false, sequence(Uint8Array.of(1, 1, 0xff)))
  const anchors: readonly [anchor: Entity, why: RegExp | 'trusted'][] = [
    [root, 'trusted'],
    [authority('whole', [...keyNames, critical]), 'trusted'],
    [authority('nameless key', [issuerKeyId, critical]), /nameless key: the authority does not name its key/],
    [authority('nameless issuer', [ownKeyId, critical]), /nameless issuer: the certificate does not name the key/],
    [authority('soft', [...keyNames, uncritical]), /soft: basicConstraints must be critical, and is not/],
  ]
  for (const [anchor, why] of anchors) {
    assert.equal(whyNot(issue(anchor, {}), [], anchor), 'trusted')
    const strictly = whyNot(issue(anchor, {}), [], anchor, true)
    if (why === 'trusted') assert.equal(strictly, why)
    else assert.match(strictly, why)
  }
})
