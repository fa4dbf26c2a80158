/** A correspondent who reads and writes protected mail in s-nail, which calls the PKCS #7 functions of OpenSSL. */
import { needsAll } from '../support/apt.ts'
import { type Case, OUTBOUND_EXTRAS, SUBJECT, casesFor } from '../support/correspondent-cases.ts'
import { SHOWN_BODY, describeMailReader, isEncrypted } from '../support/mail-reader-suite.ts'
import { makeSNail } from '../support/s-nail.ts'

describeMailReader({
  title: 's-nail',
  programs: needsAll({ 's-nail': 's-nail', openssl: 'openssl' }),
  async start(correspondence) {
    const mailer = await makeSNail(correspondence)
    return {
      ...mailer,
      async read(mail, { to, subject }) {
        const { message, verdict } = await mailer.show(mail, to)
        const outside = subject === 'hidden' ? 0 : 1
        const isAbove = message.split(`\nSubject: ${SUBJECT}\n`).length - 1 > outside
        return {
          opens: message.includes(`\n\n${SHOWN_BODY}`),
          verifies: verdict.includes('was verified successfully'),
          shown: isAbove ? 'body, header above it' : 'body',
          screen: message + verdict,
        }
      },
    }
  },
  outbound: [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS],
  inbound: (['sign', 'encrypt', 'sign-encrypt'] as const).flatMap((layering) =>
    (['rsa', 'p256'] as const).map((from): Case => ({
      layering,
      form: 'detached',
      cipher: 'aes-128-cbc',
      from,
      to: 'rsa',
    })),
  ),
  /** PKCS #7 knows no EC recipient (one spoils the mail for all), no OAEP, no PSS; an opaque signature is no mail to s-nail. */
  isBeyond: (how) =>
    how.form === 'opaque' ||
    (isEncrypted(how) && (how.cipher === 'aes-256-gcm' || [how.from, how.to].includes('p256'))) ||
    how.keyTransport !== undefined ||
    how.signature !== undefined,
  hidesSignature: () => false,
  missesChange: () => false,
})
