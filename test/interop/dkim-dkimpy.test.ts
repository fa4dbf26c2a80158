/** What dkimpy signs, we verify, in every canonical form, and chains of ARC as it seals them; what we sign, it verifies. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  type Authentication,
  beginAuthentication,
  finishAuthentication,
} from '../../src/authentication/authenticate.ts'
import { DkimSink, type DkimSigner, signWithDkim } from '../../src/authentication/dkim-sign.ts'
import { unvouchedPolicy } from '../../src/authentication/results.ts'
import { Collector } from '../../src/base/byte-sink.ts'
import type { DnsAsk } from '../../src/base/dns-client.ts'
import { concatBytes, fromLatin1, latin1 } from '../../src/base/bytes.ts'
import type { Domain } from '../../src/message/address.ts'
import { parsePart } from '../../src/message/parse.ts'
import { bodyOf } from '../../src/message/part.ts'
import { type TextRecords, dkimpyIsHere, dkimpySigns, dkimpyVerifies, dkimpyVerifiesArc } from '../support/dkimpy.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const short = generateKeyPairSync('rsa', { modulusLength: 512 })
const ed25519 = generateKeyPairSync('ed25519')
const pem = rsa.privateKey.export({ type: 'pkcs1', format: 'pem' })
const shortPem = short.privateKey.export({ type: 'pkcs1', format: 'pem' })
const rsaRecord = (key: typeof rsa): string =>
  `v=DKIM1; k=rsa; p=${key.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
const seed = Buffer.from(ed25519.privateKey.export({ format: 'jwk' }).d as string, 'base64url').toString('base64')
const point = Buffer.from(ed25519.publicKey.export({ format: 'jwk' }).x as string, 'base64url').toString('base64')

const RECORDS: TextRecords = {
  'rsa._domainkey.author.example': rsaRecord(rsa),
  'ed._domainkey.author.example': `v=DKIM1; k=ed25519; p=${point}`,
  'short._domainkey.author.example': rsaRecord(short),
  'seal._domainkey.list.example': rsaRecord(rsa),
  'seal._domainkey.second.example': rsaRecord(rsa),
  '_dmarc.author.example': 'v=DMARC1; p=reject',
}

const MAIL = fromLatin1(
  [
    'From: Author <me@author.example>',
    'To: you@b.example,',
    '\tthem@c.example  ',
    'Subject:  two  blanks ',
    'Message-ID: <1@author.example>',
    'Date: Mon, 23 Nov 2026 02:00:00 +0000',
    'MIME-Version: 1.0',
    '',
    'A line  with \t blanks  ',
    '',
    '  ',
    'and one more',
    '',
    '',
    '',
  ].join('\r\n'),
)

async function authenticate(mail: Uint8Array, records: TextRecords = RECORDS): Promise<Authentication> {
  const part = parsePart(mail)
  const begun = beginAuthentication(part.fields)
  for (const octet of bodyOf(part)) begun.bodies.write(Uint8Array.of(octet))
  begun.bodies.end()
  const ask: DnsAsk = (name, type) => {
    const record = type === 'TXT' ? records[name] : undefined
    const answer = { kind: 'records', records: [record] as never[], secure: false } as const
    return Promise.resolve(record === undefined ? { kind: 'no-domain', secure: false } : answer)
  }
  return await finishAuthentication(
    begun,
    { ip: '192.0.2.1', mailFrom: '', helo: 'x.example' },
    { ask, nowMs: Date.now() },
  )
}

const dkimWords = async (mail: Uint8Array): Promise<string> =>
  (await authenticate(mail)).dkim.map(({ result, why }) => (why === undefined ? result : `${result}: ${why}`)).join()

const by = { selector: 'rsa', domain: 'author.example', privkey: pem }
const changed = (mail: Uint8Array, from: string, to: string): Uint8Array => fromLatin1(latin1(mail).replace(from, to))

describe('DKIM by dkimpy', dkimpyIsHere(), () => {
  for (const header of ['simple', 'relaxed'])
    for (const body of ['simple', 'relaxed'])
      test(`${header}/${body} verifies, and not when it is changed`, async () => {
        const signed = await dkimpySigns('dkim-sign', MAIL, { ...by, canonicalize: [header, body] })
        assert.equal(await dkimWords(signed), 'pass')
        assert.equal(await dkimWords(changed(signed, 'one more', 'two more')), 'fail: the body has been changed')
        assert.equal(await dkimWords(changed(signed, 'two  ', 'six  ')), 'fail: the signature does not verify')
        const blanks = body === 'relaxed' ? 'pass' : 'fail: the body has been changed'
        assert.equal(await dkimWords(changed(signed, 'A line  with', 'A line with')), blanks)
      })

  test('Ed25519 verifies', async () => {
    const how = { selector: 'ed', domain: 'author.example', privkey: seed, signature_algorithm: 'ed25519-sha256' }
    assert.equal(await dkimWords(await dkimpySigns('dkim-sign', MAIL, how)), 'pass')
  })

  test('what is put behind the signed length is not vouched for', async () => {
    const signed = await dkimpySigns('dkim-sign', MAIL, { ...by, length: true })
    assert.equal(await dkimWords(signed), 'pass')
    const longer = fromLatin1(`${latin1(signed)}Buy this.\r\n`)
    assert.equal(await dkimWords(longer), 'policy: not the whole body is signed')
    assert.equal((await authenticate(longer)).dmarc.result, 'fail')
  })

  test('a key of 512 bits is not believed', async () => {
    const how = { ...by, selector: 'short', privkey: shortPem }
    assert.equal(await dkimWords(await dkimpySigns('dkim-sign', MAIL, how)), 'policy: 512-bit key')
  })
})

/** As a mailing list does: it says what it found, changes the mail, and seals that. */
async function forwarded(mail: Uint8Array, domain: string, found: string): Promise<Uint8Array> {
  const judged = fromLatin1(`Authentication-Results: ${domain}; ${found}\r\n${latin1(mail)}`)
  const footer = fromLatin1(`${latin1(judged)}-- \r\n${domain}\r\n`)
  return await dkimpySigns('arc-sign', footer, { selector: 'seal', domain, privkey: pem, srv_id: domain })
}

describe('ARC by dkimpy', dkimpyIsHere(), () => {
  const found = 'dkim=pass header.d=author.example; dmarc=pass header.from=author.example'
  const makeChain = async (first: string): Promise<Uint8Array> => {
    const signed = await dkimpySigns('dkim-sign', MAIL, by)
    return await forwarded(await forwarded(signed, 'list.example', first), 'second.example', 'dmarc=fail; arc=pass')
  }

  test('a chain of two passes, and counts where all who sealed are trusted', async () => {
    const mail = await makeChain(found)
    assert.equal(await dkimpyVerifiesArc(mail, RECORDS), 'pass')
    const authentication = await authenticate(mail)
    assert.deepEqual(
      [authentication.arc.result, authentication.dmarc.result, authentication.arc.sealers],
      ['pass', 'fail', ['list.example', 'second.example']],
    )
    assert.equal(unvouchedPolicy(authentication, []), 'reject')
    assert.equal(unvouchedPolicy(authentication, ['second.example']), 'reject')
    assert.equal(unvouchedPolicy(authentication, ['list.example', 'second.example']), undefined)
  })

  test('a first hop that had not found it good vouches for nobody', async () => {
    const authentication = await authenticate(await makeChain('dkim=fail; dmarc=fail header.from=author.example'))
    assert.equal(authentication.arc.result, 'pass')
    assert.equal(unvouchedPolicy(authentication, ['list.example', 'second.example']), 'reject')
  })

  const broken: readonly [why: string, change: (mail: string) => string][] = [
    ['the body changed after the last hop', (mail) => `${mail}more\r\n`],
    ['the subject changed after the last hop', (mail) => mail.replace('two  ', 'six  ')],
    ['the first finding forged', (mail) => mail.replace('dmarc=pass header', 'dmarc=pass  (really) header')],
    ['a hop taken out', (mail) => mail.replace(/^ARC-Seal:(?:(?!\r\n\S)[^])*cv=none(?:(?!\r\n\S)[^])*\r\n/m, '')],
    ['a hop there twice', (mail) => mail.replace(/^ARC-Seal:(?:(?!\r\n\S)[^])*\r\n/m, '$&$&')],
    ['a hop that found the chain broken', (mail) => mail.replace('cv=pass', 'cv=fail')],
  ]
  for (const [why, change] of broken)
    test(`broken: ${why}`, async () => {
      const mail = latin1(await makeChain(found))
      const forged = fromLatin1(change(mail))
      assert.notEqual(latin1(forged), mail)
      assert.equal((await authenticate(forged)).arc.result, 'fail')
    })

  test('no key, no chain', async () => {
    const { 'seal._domainkey.list.example': _gone, ...records } = RECORDS
    assert.equal((await authenticate(await makeChain(found), records)).arc.result, 'fail')
  })
})

describe('our own signatures', dkimpyIsHere(), () => {
  const domain = 'author.example' as Domain
  const signers: readonly DkimSigner[] = [
    { domain, selector: 'rsa', algorithm: 'rsa-sha256', key: rsa.privateKey },
    { domain, selector: 'ed', algorithm: 'ed25519-sha256', key: ed25519.privateKey },
  ]
  const nowMs = Date.now()

  const mails: readonly [what: string, mail: Uint8Array][] = [
    ['a mail', MAIL],
    ['no body', fromLatin1('From: me@author.example\r\nTo: you@b.example\r\n\r\n')],
    ['a body of blanks', fromLatin1('From: me@author.example\r\n\r\n \t\r\n\r\n')],
    ['no line end at the end', fromLatin1('From: me@author.example\r\nReply-To: x@y.example\r\n\r\nHello')],
    ['octets above 127', Buffer.from('From: me@author.example\r\nSubject: Grüße\r\n\r\nGrüße\r\n')],
  ]
  for (const [what, mail] of mails)
    test(`both verify there and here: ${what}`, async () => {
      const signed = signWithDkim(signers, nowMs, mail)
      assert.deepEqual(await dkimpyVerifies(signed, RECORDS, 2), [true, true])
      assert.equal(await dkimWords(signed), 'pass,pass')
      assert(
        latin1(signed)
          .split('\r\n')
          .every((line) => line.length <= 200),
        'folded',
      ) // of ours, 78
    })

  test('a field that is added where there was one, or none, breaks them', async () => {
    const signed = latin1(signWithDkim(signers, nowMs, MAIL))
    for (const field of [
      'From: eve@evil.example',
      'Subject: Other',
      'Cc: eve@evil.example',
      'Content-Type: text/html',
    ]) {
      const forged = fromLatin1(`${field}\r\n${signed}`)
      assert.match(await dkimWords(forged), /^fail.*,fail/, field)
      assert.deepEqual(await dkimpyVerifies(forged, RECORDS, 2), [false, false], field)
    }
    assert.equal(await dkimWords(fromLatin1(`List-Id: <l.example>\r\n${signed}`)), 'pass,pass')
  })

  test('however the message comes in pieces, it goes on as it is, and is signed alike', () => {
    const whole = signWithDkim(signers, nowMs, MAIL)
    for (const pieceBytes of [1, 7, 64]) {
      const out = new Collector()
      const sink = new DkimSink(signers, nowMs, out)
      for (let at = 0; at < MAIL.length; at += pieceBytes) sink.write(MAIL.subarray(at, at + pieceBytes))
      sink.end()
      assert.equal(latin1(concatBytes([sink.signatures(), ...out.take()])), latin1(whole))
    }
  })
})
