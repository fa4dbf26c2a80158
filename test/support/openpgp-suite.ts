/** Both ways with a program that knows OpenPGP: what it makes we open, what we make it opens; a changed octet is refused. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { after, before, describe, test } from 'node:test'
import type { CertificateProfile } from '../../src/protection/openpgp/certificate/make.ts'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import type { EncryptionChoice, Opened } from '../../src/protection/standard.ts'
import {
  CONTENT,
  TEXT,
  type Person,
  changedIn,
  made,
  mustBeContent,
  mustBeOurs,
  open,
  ourPerson,
  personWith,
  signedAndEncrypted,
} from './openpgp-cases.ts'
import type { OpenpgpProgram } from './openpgp-program.ts'
import { seen } from './openpgp-seen.ts'
import { messageOf, multipartEncrypted, multipartSignedPgp, signedPartsOf } from './pgp-mime.ts'

export interface OpenpgpSuite {
  readonly title: string
  readonly programs: { readonly skip: string | false }
  readonly makeProgram: () => Promise<OpenpgpProgram>
  /** Kinds of keys of ours that it reads; `v4` where nothing is said. */
  readonly profiles?: readonly CertificateProfile[]
  /** Kinds of keys that it makes, in its own words. */
  readonly kinds: readonly (string | undefined)[]
  /** Those whose signatures we call weak, also the ones that the key makes about itself. */
  readonly weakKinds?: readonly string[]
  /** It can sign text in clear. */
  readonly clearsigns?: boolean
  /** How it can be asked to make a signed and encrypted message, in its own words. */
  readonly encryptions: readonly (readonly string[])[]
  /** Those that we open, but call weak. */
  readonly weakEncryptions?: readonly (readonly string[])[]
  /** Those that we do not open. */
  readonly unknownEncryptions?: readonly (readonly string[])[]
  readonly signatures: readonly (readonly string[])[]
  /** Ciphers of ours that it reads. */
  readonly ciphers: readonly EncryptionChoice['cipher'][]
}

export function describeOpenpgpProgram(suite: OpenpgpSuite): void {
  describe(suite.title, suite.programs, () => {
    const profiles = suite.profiles ?? ['v4']
    let program: OpenpgpProgram
    const ours = new Map<CertificateProfile, Person>()
    const people = new Map<string | undefined, Person>()
    before(async () => {
      program = await suite.makeProgram()
      for (const profile of profiles) ours.set(profile, ourPerson('ours@biglobe.example', profile))
      for (const kind of [...suite.kinds, ...(suite.weakKinds ?? [])]) people.set(kind, await personWith(program, kind))
    })
    after(() => program[Symbol.asyncDispose]())
    const [first] = suite.kinds
    for (const profile of profiles) bothWays(`our own ${profile}`, () => [program, ours.get(profile) as Person])
    for (const kind of suite.kinds) bothWays(kind ?? 'its own kind of key', () => [program, person(kind)])
    inline(() => [program, person(first)], suite.clearsigns ?? false)
    for (const kind of suite.weakKinds ?? []) weakBothWays(kind, () => [program, person(kind)])
    const person = (kind: string | undefined): Person => people.get(kind) as Person
    const opened = async (args: readonly string[]): Promise<Opened> => {
      const { own, secret, certificate } = person(first)
      return open(multipartEncrypted(await program.encrypt(CONTENT, { to: [certificate], signer: secret, args })), own)
    }

    for (const args of suite.encryptions)
      test(`we open what it encrypts with ${args.join(' ')}`, async () => {
        mustBeOurs(await opened(args))
        seen(program.name, 'we open', args.join(' '))
      })
    for (const args of suite.weakEncryptions ?? [])
      test(`we open, and call weak, what it encrypts with ${args.join(' ')}`, async () => {
        mustBeOurs(await opened(args), { weak: true })
        seen(program.name, 'we open', `${args.join(' ')} (weak)`)
      })
    for (const args of suite.unknownEncryptions ?? [])
      test(`we do not open what it encrypts with ${args.join(' ')}`, async () =>
        assert.equal((await opened(args)).kind, 'broken'))
    for (const args of suite.signatures)
      test(`we verify what it signs with ${args.join(' ')}`, async () => {
        const { own, secret } = person(first)
        const opened = open(multipartSignedPgp(CONTENT, await program.sign(CONTENT, secret, args)), own)
        assert(opened.kind === 'signed', JSON.stringify(opened))
        assert.equal(opened.signers[0]?.intact, true, opened.signers[0]?.why ?? '')
        seen(program.name, 'we verify', args.join(' '))
      })
    for (const cipher of suite.ciphers)
      test(`it opens what we encrypt with ${cipher}`, async () => {
        const { own, secret, certificate } = person(first)
        const message = messageOf(signedAndEncrypted(own, cipher === undefined ? {} : { cipher }))
        const opened = await program.decrypt(message, secret, certificate)
        assert('content' in opened, JSON.stringify(opened))
        mustBeContent(opened.content)
        assert(opened.signed)
        seen(program.name, 'it opens', cipher ?? 'the default')
      })
  })
}

function bothWays(kind: string, at: () => [OpenpgpProgram, Person]): void {
  test(`${kind}: we open what it encrypts and signs`, async () => {
    const [program, { own, secret, certificate }] = at()
    const message = await program.encrypt(CONTENT, { to: [certificate], signer: secret })
    mustBeOurs(open(multipartEncrypted(message), own))
    const changed = open(multipartEncrypted(changedIn(message)), own)
    assert.equal(changed.kind, 'broken', JSON.stringify(changed))
    seen(program.name, 'keys', kind)
  })

  test(`${kind}: we verify what it signs`, async () => {
    const [program, { own, secret }] = at()
    const signature = await program.sign(CONTENT, secret)
    const opened = open(multipartSignedPgp(CONTENT, signature), own)
    assert(opened.kind === 'signed', JSON.stringify(opened))
    assert.equal(opened.signers[0]?.intact, true, opened.signers[0]?.why ?? '')
    assert.equal(opened.signers[0].certificate?.fingerprint, own.certificate.fingerprint)
    const other = open(multipartSignedPgp(Buffer.from(`${CONTENT.toString()}!`), signature), own)
    assert(other.kind === 'signed' && other.signers[0]?.intact === false)
    seen(program.name, 'keys', kind)
  })

  test(`${kind}: it opens what we sign and encrypt`, async () => {
    const [program, { own, secret, certificate }] = at()
    const message = messageOf(signedAndEncrypted(own, {}))
    const opened = await program.decrypt(message, secret, certificate)
    assert('content' in opened, JSON.stringify(opened))
    mustBeContent(opened.content)
    assert(opened.signed)
    assert('problem' in (await program.decrypt(changedIn(message), secret, certificate)))
    seen(program.name, 'keys', kind)
  })

  test(`${kind}: it verifies what we sign`, async () => {
    const [program, { own, certificate }] = at()
    const entity = made((out) => openpgp.sign([own], {}, Date.now(), out))
    const { content, signature } = signedPartsOf(entity)
    assert.equal(content.toString(), CONTENT.toString())
    assert.equal(await program.verify(content, signature, certificate), undefined)
    assert.notEqual(await program.verify(Buffer.concat([content, Buffer.from('!')]), signature, certificate), undefined)
    seen(program.name, 'keys', kind)
    seen(program.name, 'forms', 'PGP/MIME')
  })
}

/** What people wrote before PGP/MIME, and some still do: the armor is the text. */
function inline(at: () => [OpenpgpProgram, Person], clearsigns: boolean): void {
  const mailOf = (text: Buffer): Buffer => {
    const lines = text.toString().replaceAll(/\r?\n/g, '\r\n')
    return Buffer.from(`Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${lines}`)
  }

  test('inline: we open what it encrypts and signs', async () => {
    const [program, { own, secret, certificate }] = at()
    const opened = open(mailOf(await program.encrypt(Buffer.from(TEXT), { to: [certificate], signer: secret })), own)
    assert(opened.kind === 'decrypted', JSON.stringify(opened))
    assert.equal(opened.signers?.[0]?.intact, true)
    assert(Buffer.from(opened.inner.raw).includes(TEXT))
    assert(!opened.partial)
    seen(program.name, 'forms', 'inline encrypted')
  })

  if (!clearsigns) return
  test('inline: we verify what it signs in clear, and nothing around it', async () => {
    const [program, { own, secret }] = at()
    const text = (await program.clearsign?.(Buffer.from(TEXT), secret)) ?? Buffer.alloc(0)
    const [opened, amid, changed] = [text, `Before\n${text.toString()}After\n`, text.toString().replace('Welt', 'Zelt')]
      .map((each) => mailOf(Buffer.from(each)))
      .map((mail) => open(mail, own))
    assert(opened?.kind === 'signed' && amid?.kind === 'signed' && changed?.kind === 'signed', JSON.stringify(opened))
    assert.equal(opened.signers[0]?.intact, true, opened.signers[0]?.why ?? '')
    assert(Buffer.from(opened.inner.raw).includes('Guten Tag, Welt! é 日本\r\n.\r\nFrom here on\r\n- dashes\r\n'))
    assert.deepEqual([opened.partial, amid.partial], [undefined, true])
    assert.equal(changed.signers[0]?.intact, false)
    seen(program.name, 'forms', 'inline signed in clear')
  })
}

function weakBothWays(kind: string, at: () => [OpenpgpProgram, Person]): void {
  test(`${kind}: we open what it encrypts and signs, and call the signature weak`, async () => {
    const [program, { own, secret, certificate }] = at()
    const message = multipartEncrypted(await program.encrypt(CONTENT, { to: [certificate], signer: secret }))
    const opened = open(message, own)
    assert(opened.kind === 'decrypted', JSON.stringify(opened))
    assert.equal(opened.signers?.[0]?.intact, false)
    assert.equal(opened.signers[0].weak, true)
    mustBeOurs(open(message, own, { allowWeak: true }))
  })

  test(`${kind}: we neither sign with it nor encrypt to it`, () => {
    const { certificate } = at()[1].own
    assert(!openpgp.canSignWith(certificate, Date.now()))
    assert.equal(openpgp.encryptionAlgorithm(certificate, Date.now()), undefined)
  })
}
