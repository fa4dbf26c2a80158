/** The settings under `policy`: what a postmaster may decide about protection. */
import { z } from 'zod'
import { domainField } from './fields.ts'

const deliverOrRefuse = z.enum(['deliver', 'refuse'])

/** Each with its default; `perDomain` takes the same without defaults. */
const outbound = {
  noKey: z
    .enum(['prefer', 'require'])
    .default('prefer')
    .describe('A recipient without a usable key: `prefer` sends signed only, `require` refuses that recipient.'),
  layering: z
    .enum(['auto', 'encrypt-sign', 'sign-encrypt', 'triple'])
    .default('auto')
    .describe(
      '`auto` encrypts, then signs, to domains that do as we do (`domains`, `peers`), and signs, then encrypts, to all others; `triple` signs, encrypts and signs (RFC 2634).',
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
      'What the header outside of encrypted mail says (RFC 9788 §3.2). `hidden` writes `[...]` for the Subject; programs that do not know RFC 9788 show that, and the true one at the beginning of the text. `shy` also takes out the names beside addresses and the time zone. `auto` is `hidden` to domains that do as we do (`domains`, `peers`), else `visible`.',
    ),
  cipher: z
    .enum(['auto', 'aes-256-gcm', 'aes-256-cbc', 'aes-128-cbc'])
    .default('auto')
    .describe(
      '`auto` takes AES-256-CBC, which every program reads. AES-256-GCM proves by itself that nothing was changed: take it for correspondents that read it.',
    ),
  keyTransport: z
    .enum(['auto', 'rsa-oaep', 'rsa-pkcs1'])
    .default('auto')
    .describe('How the content key is encrypted to RSA keys; `auto` takes PKCS #1 v1.5, which every program reads.'),
  signatureForm: z
    .enum(['detached', 'opaque'])
    .default('detached')
    .describe(
      '`detached` is multipart/signed, which every program can show; `opaque` is one application/pkcs7-mime part.',
    ),
  signature: z.enum(['rsa-pkcs1', 'rsa-pss']).default('rsa-pkcs1').describe('How RSA keys sign.'),
  digest: z
    .enum(['sha256', 'sha384', 'sha512'])
    .default('sha256')
    .describe('Of signatures by RSA and EC keys; a curve that asks for a longer one gets it.'),
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
}

const perDomain = z.strictObject({
  noKey: outbound.noKey.unwrap().optional(),
  layering: outbound.layering.unwrap().optional(),
  headerProtection: outbound.headerProtection.unwrap().optional(),
  subject: outbound.subject.unwrap().optional(),
  cipher: outbound.cipher.unwrap().optional(),
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
  alreadyProtected: z
    .enum(['pass', 'refuse'])
    .default('pass')
    .describe("Mail that the user's program has encrypted itself: `pass` sends it on untouched."),
  ...inbound,
  perDomain: z
    .record(domainField, perDomain)
    .prefault({})
    .describe(
      'Other values for one domain: of the recipient for what goes out, one of ours for the `on…` settings. The same names as above, except `encryptToSender`, `usersMayAsk` and `alreadyProtected`.',
    ),
})
