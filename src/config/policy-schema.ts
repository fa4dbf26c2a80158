/** The settings under `policy`: what a postmaster may decide about protection. */
import { z } from 'zod'
import { PROFILE_NAMES } from '../policy/profiles.ts'
import { CIPHERS_BEST_FIRST } from '../protection/strength.ts'
import type { StandardName } from '../protection/standard.ts'
import { domainField } from './fields.ts'

const deliverOrRefuse = z.enum(['deliver', 'refuse'])

/** Each with its default; `perDomain` takes the same without defaults. */
const outbound = {
  standards: z
    .array(z.enum(['smime', 'openpgp']))
    .min(1)
    .transform((given): readonly StandardName[] => [...new Set(given)])
    .prefault(['smime', 'openpgp'])
    .describe(
      'What may be used, the preferred first. A recipient with keys of both is written to in the standard of the more trusted key, and of equally trusted ones in the first standard; it also signs mail that is not encrypted.',
    ),
  profile: z
    .enum(PROFILE_NAMES)
    .default('default')
    .describe(
      'What `auto` means below. `default`: the strongest that the recipients are known to read. `modern`: AES-256-GCM, OAEP and PSS, whatever is known. `bdew`: the German energy market, OAEP and PSS with AES-256-CBC, and nothing unencrypted. `pq`: post-quantum keys only (ML-KEM) with AES-256-GCM, and nothing unencrypted.',
    ),
  noKey: z
    .enum(['auto', 'prefer', 'require'])
    .default('auto')
    .describe(
      'A recipient without a usable key: `prefer` sends signed only, `require` refuses that recipient. `auto` as the `profile`; `default` prefers.',
    ),
  recipientKeys: z
    .enum(['auto', 'both', 'strongest', 'post-quantum'])
    .default('auto')
    .describe(
      'Of a recipient with a classical and a post-quantum key: `both` encrypts to each, for it is not known which device reads; that is no better than the weaker of the two. `strongest` takes the post-quantum one. `post-quantum` refuses who has none. `auto` as the `profile`; `default` takes both.',
    ),
  autocryptKeys: z
    .enum(['never', 'authenticated', 'always'])
    .default('authenticated')
    .describe(
      "A recipient without a usable key whose own newest mail asks to be answered encrypted (Autocrypt, `prefer-encrypt=mutual`): `authenticated` encrypts to the key of that mail when its domain has vouched for the mail (DMARC, see `authentication`), `always` in any case: whoever forges mail can then make answers unreadable. `never` waits for an administrator's word. It is better than nothing, but nobody vouches for such a key; where encryption is required it is none.",
    ),
  layering: z
    .enum(['auto', 'encrypt-sign', 'sign-encrypt', 'triple'])
    .default('auto')
    .describe(
      '`auto` encrypts, then signs, to domains that do as we do (`domains`, `peers`) and to correspondents whose own encrypted mail is signed outside, and signs, then encrypts, to all others; `triple` signs, encrypts and signs (RFC 2634).',
    ),
  headerProtection: z
    .boolean()
    .default(true)
    .describe(
      'The whole header is signed, and encrypted where the mail is (RFC 9788). Copies of its fields stay readable outside; see `subject`.',
    ),
  subject: z
    .enum(['auto', 'hidden', 'shy', 'visible'])
    .default('auto')
    .describe(
      'What the header outside of encrypted mail says (RFC 9788 §3.2). `hidden` writes `[...]` for the Subject; programs that do not know RFC 9788 show that, and the true one at the beginning of the text. `shy` also takes out the names beside addresses and the time zone. `auto` is `hidden` to domains that do as we do (`domains`, `peers`) and to correspondents whose own mail has its header inside, else `visible`.',
    ),
  cipher: z
    .enum(['auto', ...CIPHERS_BEST_FIRST])
    .default('auto')
    .describe(
      'Of the content. `auto` as the `profile`; `default` takes the strongest that all recipients of a copy are known to read, from their signed mail or their certificates, and for strangers AES-256-CBC, which every program reads. It counts in the standard that has it: CBC, GCM and ChaCha20 are of S/MIME, CFB and OCB of OpenPGP.',
    ),
  weakestCipher: z
    .enum(['auto', ...CIPHERS_BEST_FIRST])
    .default('auto')
    .describe(
      'A recipient who is not known to read this cipher or a stronger one is refused. `auto` as the `profile`; `default` refuses none for this.',
    ),
  keyTransport: z
    .enum(['auto', 'rsa-oaep', 'rsa-pkcs1'])
    .default('auto')
    .describe(
      'How the content key is encrypted to RSA keys. `auto` as the `profile`; `default` takes OAEP where all recipients say that they read it, else PKCS #1 v1.5, which every program reads.',
    ),
  signatureForm: z
    .enum(['detached', 'opaque'])
    .default('detached')
    .describe(
      '`detached` is multipart/signed, which every program can show; `opaque` is one application/pkcs7-mime part.',
    ),
  signature: z
    .enum(['auto', 'rsa-pkcs1', 'rsa-pss'])
    .default('auto')
    .describe(
      'How RSA keys sign. `auto` as the `profile`; `default` takes PSS where all recipients say that they read it, else PKCS #1 v1.5.',
    ),
  digest: z
    .enum(['auto', 'sha256', 'sha384', 'sha512'])
    .default('auto')
    .describe(
      'Of signatures by RSA and EC keys; a curve that asks for a longer one gets it. `auto` as the `profile`; `default` takes SHA-256.',
    ),
  signers: z
    .enum(['first', 'all'])
    .default('first')
    .describe(
      'Users who have several keys (`keys.algorithm`) sign with the first or with all of them. Some programs call a mail wrong when one of two signatures is of a kind that they do not know.',
    ),
}

const inbound = {
  onTampered: z
    .enum(['refuse', 'discard', 'quarantine', 'deliver-marked'])
    .default('refuse')
    .describe('Mail that was changed on its way. `refuse` answers 550 5.7.7 in the session.'),
  onMismatch: z
    .enum(['refuse', 'deliver-marked'])
    .default('refuse')
    .describe('Signed by somebody who is not in From. `refuse` treats it as `onTampered` says.'),
  onUnknownKey: deliverOrRefuse.default('deliver').describe('Signed by a key that is not known or not trusted.'),
  onUnsigned: deliverOrRefuse.default('deliver').describe('Encrypted, but not signed.'),
  onUnprotected: deliverOrRefuse.default('deliver').describe('Neither signed nor encrypted.'),
  onNoPrivateKey: deliverOrRefuse
    .default('deliver')
    .describe('Encrypted to a key that the recipient does not have here; delivered as it came.'),
  onDmarcFail: z
    .enum(['refuse', 'quarantine', 'deliver-marked'])
    .default('refuse')
    .describe(
      'Neither SPF nor DKIM vouches for the domain in From, and that domain asks for something to be done about it (DMARC; see `authentication`). `refuse` answers 550 5.7.26 where it asks for `p=reject`, and tells the reader where it asks for `p=quarantine`. `quarantine` holds both for the postmaster. Mail whose own S/MIME or OpenPGP signature is valid is delivered.',
    ),
}

const revocation = z
  .enum(['prefer', 'require', 'off'])
  .default('prefer')
  .describe(
    'Whether a certificate that chains to a trust anchor has been revoked is asked of its authority (OCSP, revocation lists; see `fetch`). When nobody tells: `prefer` believes the certificate and says so to the reader, `require` does not believe it. `off` asks nobody. One that is known to be revoked is never believed.',
  )

const perDomain = z.strictObject({
  standards: outbound.standards.unwrap().optional(),
  profile: outbound.profile.unwrap().optional(),
  noKey: outbound.noKey.unwrap().optional(),
  recipientKeys: outbound.recipientKeys.unwrap().optional(),
  autocryptKeys: outbound.autocryptKeys.unwrap().optional(),
  layering: outbound.layering.unwrap().optional(),
  headerProtection: outbound.headerProtection.unwrap().optional(),
  subject: outbound.subject.unwrap().optional(),
  cipher: outbound.cipher.unwrap().optional(),
  weakestCipher: outbound.weakestCipher.unwrap().optional(),
  keyTransport: outbound.keyTransport.unwrap().optional(),
  signatureForm: outbound.signatureForm.unwrap().optional(),
  signature: outbound.signature.unwrap().optional(),
  digest: outbound.digest.unwrap().optional(),
  signers: outbound.signers.unwrap().optional(),
  onTampered: inbound.onTampered.unwrap().optional(),
  onMismatch: inbound.onMismatch.unwrap().optional(),
  onUnknownKey: inbound.onUnknownKey.unwrap().optional(),
  onUnsigned: inbound.onUnsigned.unwrap().optional(),
  onUnprotected: inbound.onUnprotected.unwrap().optional(),
  onNoPrivateKey: inbound.onNoPrivateKey.unwrap().optional(),
  onDmarcFail: inbound.onDmarcFail.unwrap().optional(),
  revocation: revocation.unwrap().optional(),
})

export const policyField = z.strictObject({
  ...outbound,
  encryptToSender: z
    .boolean()
    .default(true)
    .describe('Mail is encrypted to its sender as well, so that the copy under Sent can be opened.'),
  usersMayAsk: z
    .boolean()
    .default(true)
    .describe('Users may write `X-Sealpost: require` or `prefer` into a mail; the field is removed.'),
  autocrypt: z
    .enum(['mutual', 'nopreference', 'off'])
    .default('mutual')
    .describe(
      "Outgoing mail carries its author's OpenPGP key in an Autocrypt field, in place of any that the author's program has written, so that whoever has a program that knows such fields can answer encrypted: `mutual` asks them to, `nopreference` leaves it to them. `off` adds and removes nothing.",
    ),
  alreadyProtected: z
    .enum(['pass', 'refuse'])
    .default('pass')
    .describe("Mail that the user's program has encrypted itself: `pass` sends it on untouched."),
  ...inbound,
  revocation,
  perDomain: z
    .record(domainField, perDomain)
    .prefault({})
    .describe(
      'Other values for one domain: of the recipient for what goes out, one of ours for the `on…` settings; `revocation` for both. The same names as above, except `encryptToSender`, `usersMayAsk`, `autocrypt` and `alreadyProtected`. A `profile` here sets aside what is said above for all domains, but for `layering`, `headerProtection`, `subject` and `signatureForm`.',
    ),
})
