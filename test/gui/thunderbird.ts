/**
 * A correspondent who reads and writes protected mail in Thunderbird. Too big a package for each run of the tests:
 * `tools/interop-table.ts --gui` runs it, and keeps what it saw.
 */
import { needsAll } from '../support/apt.ts'
import { type Case, OUTBOUND_EXTRAS, SUBJECT, casesFor } from '../support/correspondent-cases.ts'
import { SHOWN_BODY, describeMailReader, isEncrypted } from '../support/mail-reader-suite.ts'
import { NSS_PROGRAMS } from '../support/nss.ts'
import { startThunderbird } from '../support/thunderbird.ts'

describeMailReader({
  title: 'Thunderbird',
  programs: needsAll({ ...NSS_PROGRAMS, thunderbird: 'thunderbird', openssl: 'openssl' }),
  async start(correspondence, stack) {
    const thunderbird = stack.use(await startThunderbird(correspondence))
    return {
      ...thunderbird,
      async read(mail, how) {
        const { subject, body, signature, encryption } = await thunderbird.show(mail)
        return {
          opens: body.includes(`\n${SHOWN_BODY}`) && (!isEncrypted(how) || encryption === 0),
          verifies: signature === 0,
          shown: `body, ${subject === SUBJECT ? 'its Subject' : `Subject ${subject}`}${legacyDisplay(body)}`,
          screen: JSON.stringify({ subject, body, signature, encryption }),
        }
      },
    }
  },
  outbound: [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS],
  inbound: (['sign', 'encrypt', 'sign-encrypt'] as const).flatMap((layering) =>
    (['rsa', 'p256'] as const).map((key): Case => ({
      layering,
      form: 'detached',
      cipher: 'aes-128-cbc',
      from: key,
      to: key,
    })),
  ),
  /** It knows no AuthEnvelopedData. */
  isBeyond: (how) => isEncrypted(how) && how.cipher === 'aes-256-gcm',
  hidesSignature: ({ layering }) => layering === 'encrypt-sign',
  /** Of `triple` it shows the inner signature; the changed byte is in the content of the outer one. */
  missesChange: ({ layering, form }) => layering === 'triple' && form === 'opaque',
})

/** What RFC 9788 §5.2 has repeated at the beginning of the text. */
function legacyDisplay(body: string): string {
  return body.includes(`\nSubject: ${SUBJECT}\n\n${SHOWN_BODY}`) ? ', its own in the text' : ''
}
