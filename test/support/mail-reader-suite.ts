/** The tests of a mail reader that can be asked what it shows, against the running server. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { namesCipher } from './cms-entity.ts'
import { BODY, type Case, LAYERS, SUBJECT, domainsFor, nameOf, sendAll, tampered } from './correspondent-cases.ts'
import { type Draft, checkReceived } from './correspondent-mail.ts'
import { type Correspondence, startCorrespondence } from './correspondence.ts'
import { record } from './peer-tool.ts'

/** What became of a mail before its reader's eyes. */
export interface Reading {
  readonly opens: boolean
  readonly verifies: boolean
  /** For the table. */
  readonly shown: string
  /** All of it, for who looks for the reason of a failure. */
  readonly screen: string
}

export interface MailReader {
  /** For the table; with the version. */
  readonly name: string
  read(mail: Buffer, how: Case): Promise<Reading>
  /** Writes a mail and protects it; as it leaves the program. */
  compose(draft: Draft): Promise<Buffer>
}

export interface MailReaderSuite {
  readonly title: string
  /** Of `needs`. */
  readonly programs: { readonly skip: string | false }
  start(correspondence: Correspondence, stack: AsyncDisposableStack): Promise<MailReader>
  /** What our users send. */
  readonly outbound: readonly Case[]
  /** What the program writes, with the cipher that it takes by itself. */
  readonly inbound: readonly Case[]
  /** Where the program may fail; everywhere else it has to open, and to verify unless `hidesSignature`. */
  isBeyond(how: Case): boolean
  hidesSignature(how: Case): boolean
  /** The byte that `tampered` changes lies where the program does not look. */
  missesChange(how: Case): boolean
}

export function describeMailReader(suite: MailReaderSuite): void {
  const { title, programs, outbound, inbound, isBeyond } = suite
  describe(title, programs, () => {
    const stack = new AsyncDisposableStack()
    let correspondence: Correspondence
    let reader: MailReader
    let mails: Buffer[]
    before(async () => {
      correspondence = stack.use(await startCorrespondence(domainsFor(outbound)))
      reader = await suite.start(correspondence, stack)
      mails = await sendAll(correspondence, outbound)
    })
    after(() => stack.disposeAsync())

    for (const [index, how] of outbound.entries())
      test(`shows what our users send, and that the signature is good: ${nameOf(how)}`, async () => {
        const { opens, verifies, shown, screen } = await reader.read(mails[index] as Buffer, how)
        if (!isBeyond(how)) assert.deepEqual([opens, verifies], [true, !suite.hidesSignature(how)], screen)
        record(reader.name, 'Sealpost to peer', how, { opens, verifies, shown: opens ? shown : '–' })
      })

    for (const [index, how] of outbound.entries())
      if (!isBeyond(how) && !suite.hidesSignature(how) && !suite.missesChange(how))
        test(`not when it was changed on the way: ${nameOf(how)}`, async () => {
          const { opens, verifies, screen } = await reader.read(tampered(mails[index] as Buffer), how)
          assert(!opens || !verifies, screen)
        })

    for (const how of inbound)
      test(`writes mail that our users get: ${nameOf(how)}`, async () => {
        const { from, to, layering } = how
        const protection = { sign: layering !== 'encrypt', encrypt: layering !== 'sign' }
        const sent = await reader.compose({ from, to, subject: SUBJECT, body: SHOWN_BODY, ...protection })
        if (protection.encrypt) assert(namesCipher(sent, how.cipher), `another cipher than ${how.cipher}`)
        await checkReceived(correspondence, how, sent)
        const verifies = layering === 'encrypt' ? undefined : true
        record(reader.name, 'peer to Sealpost', how, { opens: true, verifies, shown: 'body' })
      })
  })
}

/** As programs show text: line ends are LF. */
export const SHOWN_BODY = BODY.replaceAll('\r\n', '\n')

export const isEncrypted = ({ layering }: Case): boolean => LAYERS[layering].includes('encrypted')
