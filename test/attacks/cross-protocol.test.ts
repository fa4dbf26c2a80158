/**
 * A signature made for something else than mail (a time stamp, a receipt, a firmware image: any eContentType but id-data),
 * presented as a mail. A fooled program looks at the octets only. RFC 8551 §2.4.1 carries MIME content as id-data.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTENT_TYPE } from '../../src/protection/smime/cms/content-info.ts'
import { SECRET, alice, clearSigned, cmsEntity, mailFrom, receivedByBob } from '../support/attack.ts'
import { forgeSignedData } from '../support/forge-cms.ts'
import { ALICE } from '../support/tampering.ts'

const ENTITY = `Content-Type: text/plain\r\n\r\n${SECRET}\r\n`

const TYPES: readonly [oid: string, name: string][] = [
  ['1.2.840.113549.1.9.16.1.4', 'TSTInfo'],
  ['1.2.840.113549.1.9.16.1.1', 'a receipt'],
  ['1.2.840.113549.1.9.16.1.16', 'a firmware package'],
  [CONTENT_TYPE.envelopedData, 'EnvelopedData without MIME'],
  ['1.3.6.1.4.1.311.2.1.4', 'Authenticode'],
]

for (const [type, name] of TYPES)
  test(`a signature over ${name} is no signature over a mail`, () => {
    const content = Buffer.from(ENTITY)
    const signers = [{ by: alice }]
    const opaque = mailFrom(ALICE, cmsEntity('signed-data', forgeSignedData({ content, type, signers })))
    const clear = mailFrom(ALICE, clearSigned(ENTITY, forgeSignedData({ content, type, signers, detached: true })))
    for (const mail of [opaque, clear]) assert.equal(receivedByBob(mail).outcome, 'refused 5.7.7')
  })

test('the same as data is valid', () => {
  const cms = forgeSignedData({ content: Buffer.from(ENTITY), signers: [{ by: alice }] })
  assert.equal(receivedByBob(mailFrom(ALICE, cmsEntity('signed-data', cms))).outcome, 'valid')
})
