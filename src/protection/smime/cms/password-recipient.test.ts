import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDer } from '../asn1/der-reader.ts'
import { contextTagged, integer, octetString, oid, sequence } from '../asn1/der-writer.ts'
import { readPasswordRecipient, unwrapWithPassword } from './password-recipient.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** RFC 3211 §3, the second example: a key of 256 bits under 3DES. */
const PASSWORD = 'All n-entities must communicate with other n-entities via n-1 entiteeheehees'
const CONTENT_KEY = hex('8C637D887223A2F965B566EB014B0FA5D52300A3F7EA40FFFC577203C71BAF3B')
const WRAPPED = hex('C03C514ABDB9E2C5AAC038572B5E24553876B377AAFB82ECA5A9D73F8AB143D9EC74E6CAD7DB260C')
const DES_EDE3_CBC = sequence(oid('1.2.840.113549.3.7'), octetString(hex('BAF1CA7931213C4E')))

interface Info {
  readonly iterations?: number
  readonly wrapped?: Uint8Array
  readonly cipher?: Uint8Array
  readonly scheme?: string
  readonly withoutDerivation?: boolean
}

function outcome(info: Info, password = PASSWORD): string {
  const { iterations = 500, wrapped = WRAPPED, cipher = DES_EDE3_CBC, scheme = '1.2.840.113549.1.9.16.3.9' } = info
  const parameters = sequence(octetString(hex('1234567878563412')), integer(iterations))
  const derivation = contextTagged(0, oid('1.2.840.113549.1.5.12'), parameters)
  const fields = info.withoutDerivation === true ? [] : [derivation]
  const der = contextTagged(3, integer(0), ...fields, sequence(oid(scheme), cipher), octetString(wrapped))
  const parsed = parseDer(der)
  const read = parsed.ok ? readPasswordRecipient(parsed.value) : parsed
  if (!read.ok) return read.error
  const unwrapped = unwrapWithPassword(read.value, password, { iterations: 1000 })
  if (!unwrapped.ok) return unwrapped.error
  assert.equal(unwrapped.value.weak, true, '3DES')
  return CONTENT_KEY.equals(unwrapped.value.key ?? new Uint8Array()) ? 'unwrapped' : String(unwrapped.value.key)
}

test('the example of RFC 3211 §3', () => {
  assert.equal(outcome({}), 'unwrapped')
  assert.equal(outcome({}, PASSWORD.slice(1)), 'undefined')
})

test('any octet of the wrapped key changed: another key, or none', () => {
  for (let at = 0; at < WRAPPED.length; at++)
    assert.notEqual(outcome({ wrapped: WRAPPED.map((octet, i) => (i === at ? octet ^ 1 : octet)) }), 'unwrapped')
})

const cases: readonly [info: Info, expected: string, why: string][] = [
  [{ wrapped: WRAPPED.subarray(0, 8) }, 'undefined', 'one block'],
  [{ wrapped: WRAPPED.subarray(1) }, 'undefined', 'not whole blocks'],
  [{ wrapped: new Uint8Array() }, 'undefined', 'nothing'],
  [{ iterations: 1001 }, 'the file demands too many iterations', 'more work than a message may demand'],
  [{ withoutDerivation: true }, 'PasswordRecipientInfo without a key derivation', 'a key from elsewhere'],
  [{ scheme: '1.2.3' }, 'unknown key encryption algorithm 1.2.3', 'another way to wrap'],
  [
    { cipher: sequence(oid('2.16.840.1.101.3.4.1.46'), sequence(octetString(new Uint8Array(12)))) },
    'aes-256-gcm wraps no keys',
    'no block chaining',
  ],
]
for (const [info, expected, why] of cases) test(`${why}: ${expected}`, () => assert.equal(outcome(info), expected))
