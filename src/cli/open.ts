/** `sealpost open`: verifies and decrypts mail files (B2 to B4), with the server's keys or with keys given here. */
import type { Command } from 'commander'
import { isUtf8 } from 'node:buffer'
import { latin1 } from '../base/bytes.ts'
import { inboundPolicyFor } from '../config/policy-settings.ts'
import { configSchema } from '../config/schema.ts'
import { parsePart } from '../message/parse.ts'
import { decideInbound } from '../policy/decide-inbound.ts'
import { explainToReader } from '../policy/explain.ts'
import type { InboundPolicy } from '../policy/settings.ts'
import { type PackedRing, type PeelReport, runPeel } from '../protection/jobs.ts'
import { bytesOf, passwordFromStdin } from './desk-of.ts'
import { canonicalMail, looksLikeMail, takeBackFiles } from './mail-file.ts'
import { ringFromDesk, ringFromFiles, sharedSecrets } from './open-ring.ts'
import { type CommonOptions, command, fail, isoTime, say } from './output.ts'

export interface OpenOptions extends CommonOptions {
  readonly for?: string
  readonly with?: readonly string[]
  readonly at?: string
  readonly plaintext?: boolean
  readonly passwordStdin?: boolean
  readonly sharedKey?: string
  readonly allowWeak?: boolean
  readonly strictIssuers?: boolean
  readonly requireStatus?: boolean
}

export function openCommand(): Command {
  return command('open [files...]', 'Verify and decrypt mail files, without changing anything.', [
    'sealpost open mail.eml --for u-suzuki@abc.com',
    'sealpost open mail.eml --with ca.pem --with suzuki.p12 --plaintext',
    'sealpost open old.eml --with ca.pem --at 2004-11-09 --json',
  ])
    .option('--for <address>', 'open with the keys of this user')
    .option(
      '--with <files...>',
      'certificates, self-signed authorities and private keys to use instead of the configured ones',
    )
    .option('--at <time>', 'judge certificates at this time (ISO 8601, or seconds since 1970)')
    .option('--plaintext', 'print the opened message as well')
    .option('--password-stdin', 'read the password of the key files, or of the mail itself, from standard input')
    .option(
      '--shared-key <id=file>',
      'a key agreed on with the sender: its identifier in hex, and the file that holds it',
    )
    .option('--allow-weak', 'let SHA-1 and short RSA keys count, for archives')
    .option('--strict-issuers', 'believe only authorities that keep to all that RFC 5280 demands of them')
    .option('--require-status', 'believe only certificates of which a revocation list in the mail tells')
    .action(open)
}

async function open(named: readonly string[], options: OpenOptions, made: Command): Promise<void> {
  const { files, values: keyFiles } = await takeBackFiles(named, options.with, looksLikeMail)
  if (files.length === 0) made.error("error: missing required argument 'files'")
  const atMs = timeOf(options.at)
  if (Number.isNaN(atMs)) made.error(`error: "${options.at}" is not a time; write 2004-11-09 or 2004-11-09T12:00:00Z`)
  const password = options.passwordStdin === true ? await passwordFromStdin() : undefined
  const secrets = await sharedSecrets(password, options.sharedKey)
  const alone = secrets.length > 0 && options.for === undefined // a secret opens without any key, and without a server
  const given = keyFiles === undefined && !alone ? undefined : await ringFromFiles(keyFiles ?? [], password ?? '')
  for (const file of files) {
    const bytes = await bytesOrProblem(file)
    if (bytes === undefined) continue
    const raw = canonicalMail(bytes)
    const { ring, policy } =
      given === undefined ? await ringFromDesk(options, parsePart(raw)) : { ring: given, policy: defaultPolicy() }
    const allowWeak = ring.allowWeak || options.allowWeak === true
    const strictIssuers = ring.strictIssuers === true || options.strictIssuers === true
    const revocation = options.requireStatus === true ? 'require' : (ring.revocation ?? 'prefer')
    const report = openWith({ ...ring, secrets, allowWeak, strictIssuers, revocation }, raw, atMs)
    sayReport(file, report, policy, options)
  }
}

/** A file that cannot be read does not keep the others shut; it shows in the exit status. */
async function bytesOrProblem(file: string): Promise<Uint8Array | undefined> {
  try {
    return await bytesOf(file)
  } catch (error) {
    process.exitCode = fail(error)
    return undefined
  }
}

function openWith(ring: PackedRing, raw: Uint8Array, atMs: number): PeelReport {
  const [report] = runPeel({ kind: 'peel', raw, atMs, rings: [ring] })
  if (report === undefined) throw new TypeError('one ring makes one report')
  return report
}

function sayReport(file: string, report: PeelReport, policy: InboundPolicy, options: OpenOptions): void {
  const { summary, layers, errant, defects, sealed, message } = report
  const decision = decideInbound(summary, sealed, policy)
  const { encrypted, signature, signer, reason } = summary
  const shown = options.plaintext === true && message !== undefined ? textOf(message) : undefined
  const result = {
    file,
    outcome: decision.action,
    summary: { encrypted, signature, signer, reason },
    layers: layers.map(({ signingTimeMs, why, states: _states, ...layer }) => ({
      ...layer,
      ...(signingTimeMs === undefined ? {} : { signingTime: isoTime(signingTimeMs) }),
      ...(why === undefined ? {} : { reason: why }),
    })),
    errant,
    defects,
    ...(shown === undefined ? {} : { plaintext: shown }),
  }
  const layersText = layers.map(
    (layer) =>
      `  ${layer.form} ${layer.algorithm ?? ''} ${layer.verdict}${layer.why === undefined ? '' : `: ${layer.why}`}`,
  )
  const head = `${file}: ${decision.action}. ${explainToReader(summary, decision)}`
  say(options, result, [head, ...layersText, ...(shown === undefined ? [] : ['', shown])].join('\n'))
}

const textOf = (message: Uint8Array): string =>
  isUtf8(message) ? Buffer.from(message).toString('utf8') : latin1(message)

/** NaN when it is no time. */
function timeOf(text: string | undefined): number {
  if (text === undefined) return Date.now()
  return /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text)
}

/** Without a configuration the defaults of the manual decide. */
function defaultPolicy(): InboundPolicy {
  const domain = 'example.org'
  return inboundPolicyFor(configSchema.parse({ domains: [domain] }), domain as never)
}
