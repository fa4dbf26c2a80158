/** `sealpost seal`: protects mail files as submission would (A2, A3), and prints them instead of sending them. */
import type { Command } from 'commander'
import { type Desk, OperationRefused, needAddress } from '../admin/desk.ts'
import { Collector } from '../base/byte-sink.ts'
import { outboundPolicyFor, standardsOfUsers } from '../config/policy-settings.ts'
import { introducing } from '../gateway/submitted-header.ts'
import { type Address, domainOf, parseAddress, sameAddress } from '../message/address.ts'
import { isField, writeFields } from '../message/header-field.ts'
import { parsePart } from '../message/parse.ts'
import { type Part, bodyOf } from '../message/part.ts'
import { namedRecipients } from '../message/recipients.ts'
import { decideOutbound } from '../policy/decide-outbound.ts'
import { explainRefused } from '../policy/explain.ts'
import { packCopy, startWrap } from '../protection/jobs.ts'
import { authorOf } from '../protection/author.ts'
import { atDesk, bytesOf } from './desk-of.ts'
import { canonicalMail, takeBackFiles } from './mail-file.ts'
import { type CommonOptions, command, note, say } from './output.ts'

interface SealOptions extends CommonOptions {
  readonly from: string
  readonly to?: readonly string[]
}

export function sealCommand(): Command {
  return command('seal [files...]', 'Sign and encrypt mail files, and print them.', [
    'sealpost seal draft.eml --from t-azuma@biglobe.ne.jp > sealed.eml',
    'sealpost seal draft.eml --from t-azuma@biglobe.ne.jp --to u-suzuki@abc.com',
  ])
    .requiredOption('--from <address>', 'the user who signs')
    .option('--to <addresses...>', 'recipients; without it those in To and Cc')
    .action(seal)
}

async function seal(named: readonly string[], given: SealOptions, made: Command): Promise<void> {
  const { files, values: to } = await takeBackFiles(named, given.to, (value) => parseAddress(value) === undefined)
  if (files.length === 0) made.error("error: missing required argument 'files'")
  const options = to === undefined ? given : { ...given, to }
  await atDesk(options, async (desk) => {
    for (const file of files) {
      const message = parsePart(canonicalMail(await bytesOf(file)))
      for (const { recipients, bytes } of await sealMail(desk, message, options)) {
        note(`${file}: for ${recipients.join(', ')}`)
        if (options.json === true)
          say(options, { file, recipients, message: Buffer.from(bytes).toString('latin1') }, '')
        else process.stdout.write(bytes)
      }
    }
  })
}

async function sealMail(
  desk: Desk,
  message: Part,
  options: SealOptions,
): Promise<{ recipients: readonly Address[]; bytes: Buffer }[]> {
  const from = needAddress(options.from)
  const nowMs = desk.clock.nowMs()
  const signers = await desk.privateKeys.signingKeys(from)
  if (signers.length === 0) throw new OperationRefused(`There is no private key of ${from} here`)
  const certificates = signers.map(({ certificate }) => certificate)
  const author = authorOf(message)
  if ('problem' in author) throw new OperationRefused(`It cannot be signed: ${author.problem}`)
  if (!sameAddress(author.address, from))
    throw new OperationRefused(`It is a mail of ${author.address}, and ${from} cannot sign it`)
  const named = namedRecipients(message)
  const recipients = await Promise.all(
    (options.to?.map(needAddress) ?? named).map(async (address) => {
      const policy = outboundPolicyFor(desk.config, domainOf(address))
      return { address, ...(await desk.correspondents.get(address, nowMs, policy.standards)), policy }
    }),
  )
  if (recipients.length === 0) throw new OperationRefused('Nobody to seal it for: name recipients with --to')
  const plan = decideOutbound({
    recipients,
    named: named.length > 0 ? named : recipients.map((each) => each.address),
    asked: undefined,
    alreadyProtected: false,
    answers: 'none',
    senderStandards: [...new Set(certificates.map(({ standard }) => standard))],
    ourStandards: standardsOfUsers(desk.config),
    atMs: nowMs,
    senderCertificates: desk.config.policy.encryptToSender
      ? await desk.publicKeys.certificatesOfSender(certificates, from, nowMs)
      : [],
  })
  if (plan.refused.length > 0) throw new OperationRefused(explainRefused(plan.refused))
  const outputs = plan.copies.map(() => new Collector())
  const copies = plan.copies.map((copy) => packCopy(copy.protection, signers))
  const fields = message.fields.filter((field) => !isField(field, 'Bcc'))
  const { header, introduction } = introducing(fields, from, signers, desk.config.policy.autocrypt)
  const body = startWrap(
    {
      kind: 'wrap',
      header: writeFields(header),
      trace: writeFields(introduction),
      signingTimeMs: nowMs,
      copies,
    },
    outputs,
  )
  body.write(bodyOf(message))
  body.end()
  return plan.copies.map((copy, index) => ({
    recipients: copy.recipients,
    bytes: Buffer.concat(outputs[index]?.take() ?? []),
  }))
}
