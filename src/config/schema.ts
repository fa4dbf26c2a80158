/**
 * Every setting there is, with its default and what it means. This is also the manual: docs/operating/configuration.md is
 * made from it (describe.ts). Units are in the names.
 */
import { z } from 'zod'
import { accountsField } from './accounts-schema.ts'
import {
  countField,
  domainField,
  keyServerField,
  mailKeysField,
  networkField,
  nextHopField,
  resolverField,
  routedDomainField,
  sharedNetworkField,
} from './fields.ts'
import { listenersField } from './listener-schema.ts'
import { mailboxesField } from './mailboxes-schema.ts'
import { policyField } from './policy-schema.ts'
import { storeField } from './store-schema.ts'

const tls = z.strictObject({
  certificate: z
    .string()
    .min(1)
    .default('tls-certificate.pem')
    .describe('PEM file with the certificate of the listeners and its chain; relative to this file.'),
  key: z.string().min(1).default('tls-key.pem').describe('PEM file with its private key; relative to this file.'),
})

const relay = z.strictObject({
  routes: z
    .record(routedDomainField, nextHopField)
    .prefault({})
    .describe(
      "Next hops by domain, in place of the domain's MX records: `example.org: 192.0.2.1:25`. A row for `'*'` takes all other domains.",
    ),
  credentials: z
    .record(
      z.string().toLowerCase(),
      z.strictObject({
        user: z.string().min(1).describe('The name to sign in with.'),
        passwordFile: z.string().min(1).describe('File with the password in its first line; relative to this file.'),
      }),
    )
    .prefault({})
    .describe(
      'Sign-in (SMTP AUTH) at next hops of `relay.routes` that ask for it, by host: `smtp.example.net: { user: us, passwordFile: smarthost-password }`. The password leaves only over TLS to a host whose certificate names it.',
    ),
  tls: z
    .enum(['opportunistic', 'verified'])
    .default('opportunistic')
    .describe(
      '`opportunistic` uses TLS where it is offered; `verified` sends nothing without a certificate that names the host.',
    ),
  mtaSts: z
    .boolean()
    .default(true)
    .describe(
      "Ask whether the recipient's domain publishes how TLS with its mail hosts has to be (MTA-STS), and obey. DANE is obeyed always.",
    ),
  tlsReports: z
    .boolean()
    .default(true)
    .describe(
      'Domains that ask for it are told once a day what came of TLS with their mail hosts (TLSRPT): counts, hosts and reasons, nothing of the mails. By mail only when our first domain has a DKIM key in use.',
    ),
  clearAfterTlsFailure: z
    .boolean()
    .default(false)
    .describe(
      'Mail that is not encrypted end to end may go on without TLS when STARTTLS was offered but failed. Sealed mail always may.',
    ),
  allowLocalAddresses: z
    .boolean()
    .default(false)
    .describe('MX records may point to loopback and link-local addresses; for tests.'),
})

const queue = z.strictObject({
  retryFirstMinutes: countField(1, 1440)
    .default(5)
    .describe('Pause after the first failed attempt; each next one doubles it.'),
  retryPauseMaxMinutes: countField(1, 10_080).default(240).describe('The longest pause between two attempts.'),
  tellDelayAfterHours: countField(1, 720).default(4).describe('The sender is told once that mail is delayed.'),
  giveUpAfterHours: countField(1, 2_160)
    .default(120)
    .describe('Then the mail is returned to its sender; RFC 5321 §4.5.4.1 asks for 4 to 5 days.'),
  runningMax: countField(1, 1_000).default(40).describe('Deliveries at the same time.'),
  runningPerDomainMax: countField(1, 1_000)
    .default(20)
    .describe(
      "Of these, to one domain: 10 at first, one more with each that it answers, half as many when it says 421 or cannot be reached. A domain in `relay.routes`, or all when there is a row `'*'`, may have as many as there are.",
    ),
})

const rate = (count: number, what: string) => countField(0, 1_000_000).default(count).describe(what)

const perMinute = z.strictObject({
  connectionsPerAddress: rate(600, 'Connections to all listeners for mail.'),
  mailsPerAddress: rate(1_200, 'Mails from one server to our users.'),
  recipientsPerAddress: rate(6_000, 'Recipients of these.'),
  refusedRecipientsPerAddress: rate(60, 'Recipients that do not exist here; after that, it is not said who does.'),
  loginFailuresPerAddress: rate(20, 'Wrong passwords, for whatever names; after that, no password is looked at.'),
  mailsPerUser: rate(120, 'Mails that one user sends.'),
  recipientsPerUser: rate(2_000, 'Recipients of these; `limits.recipientsMax` at least.'),
  loginFailuresPerUser: rate(
    10,
    'Wrong passwords for one name; after that, no password for it is looked at, but from addresses where the user has signed in before.',
  ),
})

const limits = z.strictObject({
  messageSizeMaxBytes: countField(65_536, 2 ** 34)
    .default(50 * 2 ** 20)
    .describe(
      'Larger mail is refused; offered as SIZE (RFC 1870). Memory does not grow with it; the disk needs some four times as much for a moment.',
    ),
  recipientsMax: countField(100, 10_000)
    .default(1_000)
    .describe('Recipients of one mail; RFC 5321 §4.5.3.1.8 asks for 100 at least.'),
  refusalsAfterDecryptionPerDay: countField(0, 1_000_000)
    .default(100)
    .describe(
      'Mail refused after a private key has worked on it: so many senders a day and recipient hear 550; after that it is taken and held for the postmaster, so that the answers tell an attacker nothing.',
    ),
  connectionsMax: countField(1, 100_000).default(1_000).describe('Open connections of one listener.'),
  connectionsPerAddressMax: countField(1, 100_000).default(50).describe('Of these, from one address.'),
  perMinute: perMinute
    .prefault({})
    .describe(
      'What one address (of IPv6: one network of 64 bits) or one user may ask for in a minute; as much at once, too. 0 is no limit. Who asks for more hears 421 or 450 and may come again.',
    ),
  rateExemptNetworks: z
    .array(networkField)
    .prefault(['127.0.0.0/8', '::1/128'])
    .describe(
      'Networks from where nothing of `limits.perMinute` is counted: this machine, a web mailer, servers in front of us.',
    ),
  memoryMaxMegabytes: countField(0, 2 ** 20)
    .default(0)
    .describe(
      'Memory of the whole process. An eighth of it is for mails in work; new ones are answered 421 or 451 when that is nearly used, or when the process is larger than this. 0 is three quarters of what the machine, or its container, has.',
    ),
  diskFreeMinMegabytes: countField(0, 2 ** 24)
    .default(512)
    .describe(
      'No new mail (452) when less is free on the disk of `dataDir`; of a disk under ten times as large, a tenth is enough. 0 asks nothing.',
    ),
})

const lookup = z.strictObject({
  dns: z
    .boolean()
    .default(false)
    .describe(
      "OPENPGPKEY records of the recipient's domain (RFC 7929). They count only where the name server has validated them: see `dns.trustValidation`.",
    ),
  wkd: z
    .boolean()
    .default(true)
    .describe("The Web Key Directory of the recipient's own domain, which is about to get the mail anyway."),
  vks: z
    .array(keyServerField)
    .prefault([])
    .describe(
      'Servers that hand out a key only when its address was verified, such as `https://keys.openpgp.org`. They learn whom our users write to.',
    ),
  hkp: z
    .array(keyServerField)
    .prefault([])
    .describe(
      'Servers that verify nothing: what they have is a candidate, used when an administrator has confirmed it. They learn whom our users write to.',
    ),
  waitSeconds: countField(0, 60)
    .default(4)
    .describe(
      'How long one mail waits for keys that are looked up; what comes later is there for the next mail. 0 asks nobody.',
    ),
})

const fetch = z.strictObject({
  waitSeconds: countField(0, 60)
    .default(4)
    .describe(
      'How long one incoming mail waits for revocation lists and OCSP responses that are not at hand; what comes later is there for the next mail.',
    ),
  issuers: z
    .boolean()
    .default(false)
    .describe(
      "Also fetch certificates of authorities that a mail should have brought along. Anybody can write such a URL into a certificate, and so learn when and where a mail is received; revocation is asked only where a trust anchor's authority says so.",
    ),
  allowNetworks: z
    .array(networkField)
    .prefault([])
    .describe(
      'Networks of our own that may be asked, such as `10.1.0.0/16`, for authorities inside the house. Addresses that are not public are never asked otherwise.',
    ),
})

const protection = z.strictObject({
  threads: countField(0, 256)
    .default(0)
    .describe('Threads that sign, encrypt, verify and decrypt; 0 is one for each core.'),
  timeoutSeconds: countField(1, 3_600)
    .default(30)
    .describe('What one mail may take in such a thread before it is ended and the sender asked to try again.'),
  heapMaxMegabytes: countField(64, 16_384).default(256).describe('Memory of one such thread.'),
  allowWeakAlgorithms: z
    .boolean()
    .default(false)
    .describe('Signatures with SHA-1, MD5, DSA or short RSA keys count; for archives and test suites only.'),
  strictIssuers: z
    .boolean()
    .default(false)
    .describe(
      'Certificates are believed only when their authorities keep to all that RFC 5280 demands of them, what most programs overlook too: constraints that are marked as critical, trust anchors that name their key.',
    ),
})

/** The whole file. `domains` is the one setting without a default. */
export const configSchema = z.strictObject({
  domains: z
    .array(domainField)
    .min(1, { error: 'needs one domain at least' })
    .describe('The domains whose users are here. Required.'),
  hostname: domainField
    .nullable()
    .prefault(null)
    .describe('Our name in greetings, EHLO and Received fields; `null` is `mail.` before the first of `domains`.'),
  dataDir: z
    .string()
    .min(1)
    .default('.')
    .describe('Folder of database, messages and master key; relative to this file.'),
  store: storeField.prefault({}).describe('Where everything is kept.'),
  listeners: listenersField.prefault({}).describe('Where we listen.'),
  accounts: accountsField
    .prefault({})
    .describe(
      'Users who are known elsewhere, beside those of `sealpost user add`; in this order: our own, the file, LDAP.',
    ),
  tls: tls.prefault({}).describe('Read again at SIGHUP.'),
  submission: z
    .strictObject({
      allowPlainAuthOnLoopback: z
        .boolean()
        .default(false)
        .describe('Programs on this machine may sign in without TLS.'),
      trustedNetworks: z
        .array(networkField)
        .prefault([])
        .describe(
          'Mail servers of ours whose users have signed in there: they send without a password, and MAIL FROM says for which of our users: see [beside-postfix.md](beside-postfix.md). Over TLS only, but from this machine. Never a network of others.',
        ),
      sharedNetworks: z
        .array(sharedNetworkField)
        .prefault([])
        .describe(
          'As `trustedNetworks`, for networks from which others send too, such as those of Microsoft 365 and Google: each mail must carry the header field of that name with the value that stands in the first line of the file (relative to this one), and the connection must have TLS: `{ network: 192.0.2.0/24, header: X-Our-Mail, valueFile: our-mail-secret }`. The field is taken out. Read at the start. See [beside-postfix.md](beside-postfix.md).',
        ),
    })
    .prefault({})
    .describe('How users send.'),
  pop3: z
    .strictObject({
      allowPlainAuthOnLoopback: z
        .boolean()
        .default(false)
        .describe('Programs on this machine may sign in without TLS.'),
    })
    .prefault({})
    .describe('How users fetch.'),
  mailboxes: mailboxesField.prefault({}).describe('Where mail for our users is kept: see [imap.md](imap.md).'),
  relay: relay.prefault({}).describe('How mail goes out.'),
  dns: z
    .strictObject({
      resolver: resolverField
        .nullable()
        .default(null)
        .describe("`address:port` of the name server to ask; `null` is the system's."),
      trustValidation: z
        .enum(['auto', 'always', 'never'])
        .default('auto')
        .describe(
          'Whether the name server is believed when it says that it has validated an answer (DNSSEC), which DANE asks for. `auto`: when it is on this machine. `always` only where nobody else can write to the line in between.',
        ),
    })
    .prefault({})
    .describe('Names.'),
  queue: queue.prefault({}).describe('What waits to go out.'),
  limits: limits.prefault({}).describe('How much of everything.'),
  keys: z
    .strictObject({
      algorithm: mailKeysField
        .prefault('rsa-2048')
        .describe(
          'Of new key pairs. Every mail program reads RSA; P-256 signs ten times as fast. `+` joins a key that signs and one that decrypts, each with a certificate of its own. Of a list, each user has all; the first signs, or all of them (`policy.signers`).',
        ),
      openpgp: z
        .enum(['v4', 'v6', 'v6-pq', 'off'])
        .default('v4')
        .describe(
          'An OpenPGP certificate for each user, beside the S/MIME ones: `v4` (Ed25519 and X25519) is what every program reads; `v6` is that of RFC 9580; `v6-pq` adds post-quantum algorithms. `off` makes none.',
        ),
      certificateValidityDays: countField(1, 1_185)
        .default(730)
        .describe('Of new certificates. Those of OpenPGP are renewed before they run out.'),
    })
    .prefault({})
    .describe('Key pairs of our users.'),
  lookup: lookup
    .prefault({})
    .describe("Where a correspondent's OpenPGP keys are looked up, in this order, when nothing better is known."),
  fetch: fetch
    .prefault({})
    .describe(
      'What certificates point to: revocation lists, OCSP responders, issuers. What is fetched by `lookup` keeps to `allowNetworks` too.',
    ),
  authentication: z
    .strictObject({
      inbound: z
        .boolean()
        .default(true)
        .describe(
          'Mail from the Internet is judged by SPF, DKIM, ARC and DMARC; what they say is in its Authentication-Results, and `policy.onDmarcFail` goes by it. `false` where a filter in front does it.',
        ),
      exemptNetworks: z
        .array(networkField)
        .prefault(['127.0.0.0/8', '::1/128'])
        .describe(
          'Hosts of ours that pass on mail of others, such as a filter or a backup MX: what they bring is not judged.',
        ),
      trustedSealers: z
        .array(domainField)
        .prefault([])
        .describe(
          'Domains whose mailing lists and forwarders are believed (ARC): where all who sealed a mail stand here, and the first of them found it good, its author counts as vouched for.',
        ),
    })
    .prefault({})
    .describe('Whether the domains that a mail names have sent it.'),
  policy: policyField.prefault({}).describe('Who gets what protection, and what happens to mail that does not verify.'),
  peers: z
    .array(domainField)
    .prefault([])
    .describe('Domains of others that are known to sign and encrypt on behalf of their users, as we do.'),
  evidence: z
    .strictObject({
      keepDays: countField(0, 36_500)
        .default(30)
        .describe('How long the protected original is kept beside the opened mail; 0 keeps none.'),
    })
    .prefault({})
    .describe('Proof of what arrived.'),
  trace: z
    .strictObject({
      keepDays: countField(1, 36_500)
        .default(90)
        .describe('How long `sealpost trace` can tell what happened to a mail.'),
    })
    .prefault({})
    .describe('The history of each mail.'),
  protection: protection.prefault({}).describe('The threads in which foreign mail is opened.'),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least weight that is written.'),
    })
    .prefault({})
    .describe('One JSON object a line on standard output.'),
})

/** The settings as the file has them, defaults filled in; load.ts makes the `Config` that the program uses. */
export type Settings = z.output<typeof configSchema>

/** What may stand in the file. */
export type SettingsInput = z.input<typeof configSchema>
