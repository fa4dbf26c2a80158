import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NOW_MS, makeAuthority, makeCertificate } from '../../../../test/support/x509-maker.ts'
import { contextTagged, der, sequence } from '../asn1/der-writer.ts'
import { context } from '../asn1/tlv.ts'
import { EXTENSION } from './extensions.ts'
import { EMAIL_ADDRESS } from './name.ts'
import { validatePath } from './path-validation.ts'
import {
  COMMON_NAME,
  DOMAIN_COMPONENT,
  dnsName,
  ipAddressName,
  mailboxName,
  subjectAltName,
  writeExtension,
  writeName,
} from './write-certificate.ts'

const uri = (text: string): Uint8Array => der(context(6), Buffer.from(text))
const directory = (name: Uint8Array): Uint8Array => contextTagged(4, name)
const registered = der(context(8), Uint8Array.of(0x2a, 3))
const ip = (...octets: number[]): Uint8Array => ipAddressName(Uint8Array.from(octets))
const mail = mailboxName
const acme = writeName([
  [DOMAIN_COMPONENT, 'acme'],
  [COMMON_NAME, 'x'],
])
const acmeBase = directory(writeName([[DOMAIN_COMPONENT, 'ACME']]))
const named = (email: string): Uint8Array => writeName([[EMAIL_ADDRESS, email]])

type List = readonly Uint8Array[]

function isTrusted(permitted: List, excluded: List, names: List, subject?: Uint8Array): boolean {
  const subtrees = (list: List): Uint8Array[] => list.map((base) => sequence(base))
  const value = sequence(
    ...(permitted.length === 0 ? [] : [contextTagged(0, ...subtrees(permitted))]),
    ...(excluded.length === 0 ? [] : [contextTagged(1, ...subtrees(excluded))]),
  )
  const constraints = writeExtension(EXTENSION.nameConstraints, true, value)
  const issuer = makeAuthority({ name: 'root', extensions: [constraints] })
  const extensions = names.length === 0 ? [] : [subjectAltName(names, false)]
  const { certificate } = makeCertificate({
    name: 'x',
    issuer,
    extensions,
    ...(subject === undefined ? {} : { subject }),
  })
  const anchors = [issuer.certificate]
  return validatePath({ certificate, untrusted: [], anchors, atMs: NOW_MS, purpose: 'email' }).trusted
}

describe('a certificate keeps to the names its authority may certify', () => {
  const cases: readonly [permitted: List, excluded: List, names: List, trusted: boolean, why: string][] = [
    [[mail('abc.example')], [], [mail('a@abc.example')], true, 'a host permitted'],
    [[mail('abc.example')], [], [mail('a@ABC.Example')], true, 'without regard to case'],
    [[mail('abc.example')], [], [mail('a@sub.abc.example')], false, 'a host is not its subdomains'],
    [[mail('.abc.example')], [], [mail('a@sub.abc.example')], true, 'a domain with its point permitted'],
    [[mail('.abc.example')], [], [mail('a@abc.example')], false, 'a domain with its point is not the host'],
    [[mail('.abc.example')], [], [mail('a@xabc.example')], false, 'labels are compared whole'],
    [[mail('a@abc.example')], [], [mail('a@abc.example')], true, 'a mailbox permitted'],
    [[mail('a@abc.example')], [], [mail('A@abc.example')], false, 'a permitted mailbox is compared with case'],
    [[], [mail('a@abc.example')], [mail('A@abc.example')], false, 'an excluded mailbox without'],
    [[mail('abc.example')], [], [mail('a@abc.example'), mail('a@xyz.example')], false, 'every name must keep to it'],
    [[mail('abc.example')], [], [mail('鈴木@abc.example')], true, 'SmtpUTF8Mailbox by the host (RFC 9598 §6)'],
    [[mail('abc.example')], [], [mail('鈴木@xyz.example')], false, 'SmtpUTF8Mailbox elsewhere'],
    [[mail('abc.example')], [], [mail('a\0@abc.example')], false, 'a broken address is outside'],
    [[], [mail('abc.example')], [mail('a@x@xyz.example')], false, 'and inside what is excluded'],
    [[mail('abc.example')], [mail('root@abc.example')], [mail('root@abc.example')], false, 'excluded beats permitted'],
    [[mail('abc.example')], [], [dnsName('xyz.example')], true, 'constraints of one kind leave the others alone'],
    [[mail('abc.example')], [], [], true, 'no name of that kind'],
    [[dnsName('abc.example')], [], [dnsName('a.b.abc.example')], true, 'a DNS name below'],
    [[dnsName('abc.example')], [], [dnsName('xabc.example')], false, 'a DNS name beside'],
    [[], [dnsName('a.abc.example')], [dnsName('*.abc.example')], false, 'a wildcard reaching into what is excluded'],
    [[uri('.abc.example')], [], [uri('https://u@x.abc.example:8/p')], true, 'a URI by its host'],
    [[uri('.abc.example')], [], [uri('https://x.abc.example@xyz.example/')], false, 'a URI whose host is elsewhere'],
    [[uri('abc.example')], [], [uri('urn:x')], false, 'a URI without a host'],
    [[ip(10, 0, 0, 0, 255, 0, 0, 0)], [], [ip(10, 1, 2, 3)], true, 'an address in the range'],
    [[ip(10, 0, 0, 0, 255, 0, 0, 0)], [], [ip(11, 1, 2, 3)], false, 'an address out of the range'],
    [[ip(10, 0, 0, 0, 255, 0, 0, 0)], [], [ip(10, 1, 2)], false, 'a broken address'],
    [[acmeBase], [], [directory(writeName([[DOMAIN_COMPONENT, 'other']]))], false, 'a directory name elsewhere'],
    [[registered], [], [registered], false, 'a kind of name that we cannot compare'],
    [[registered], [], [mail('a@abc.example')], true, 'unless there is none of it'],
  ]
  for (const [permitted, excluded, names, trusted, why] of cases)
    test(why, () => {
      const subject = permitted.includes(acmeBase) ? acme : undefined
      assert.equal(isTrusted(permitted, excluded, names, subject), trusted)
    })
})

describe('the subject counts too', () => {
  const cases: readonly [permitted: List, excluded: List, subject: Uint8Array, trusted: boolean, why: string][] = [
    [[acmeBase], [], acme, true, 'a subject below, folded as in RFC 5280 §7.1'],
    [[acmeBase], [], writeName([[DOMAIN_COMPONENT, 'acme2']]), false, 'a subject elsewhere'],
    [[], [acmeBase], acme, false, 'a subject excluded'],
    [[mail('abc.example')], [], named('a@abc.example'), true, 'emailAddress permitted'],
    [[mail('abc.example')], [], named('a@xyz.example'), false, 'emailAddress elsewhere'],
  ]
  for (const [permitted, excluded, subject, trusted, why] of cases)
    test(why, () => assert.equal(isTrusted(permitted, excluded, [], subject), trusted))
})

describe('constraints that nobody may issue are refused', () => {
  const cases: readonly [permitted: List, why: string][] = [
    [[], 'none at all'],
    [[mail('@abc.example')], 'a mailbox without a local part'],
    [[mail('*.abc.example')], 'a mail wildcard'],
    [[dnsName('*.abc.example')], 'a DNS wildcard'],
    [[dnsName('.abc.example')], 'a DNS name with a point in front'],
    [[ip(10, 0, 0, 0)], 'an address without a mask'],
    [[ip(10, 0, 0, 0, 255, 0, 255, 0)], 'a mask with a hole'],
  ]
  for (const [permitted, why] of cases) test(why, () => assert.ok(!isTrusted(permitted, [], [])))
})

test('thousands of constraints and names cost little', () => {
  const hosts = Array.from({ length: 2000 }, (_, i) => `h${i}.example`)
  const before = process.cpuUsage()
  assert.ok(!isTrusted(hosts.map(dnsName), [], hosts.map(dnsName)))
  assert.ok(process.cpuUsage(before).user < 1_000_000)
})
