/**
 * A correspondent who reads and writes protected mail in claws-mail, which has gpgsm do the work. Needs a screen:
 * `tools/interop-table.ts --gui` runs it, and keeps what it saw.
 */
import { needsAll } from '../support/apt.ts'
import { CLAWS_PROGRAMS, startClawsMail } from '../support/claws-mail.ts'
import { type Case, FEW_OUTBOUND, SUBJECT } from '../support/correspondent-cases.ts'
import { makeGpgsmHome } from '../support/gpgsm.ts'
import { SHOWN_BODY, describeMailReader, isEncrypted } from '../support/mail-reader-suite.ts'

describeMailReader({
  title: 'claws-mail',
  programs: needsAll({ ...CLAWS_PROGRAMS, gpgsm: 'gpgsm', 'gpg-agent': 'gpg-agent', openssl: 'openssl' }),
  async start(correspondence, stack) {
    const claws = stack.use(await startClawsMail(correspondence, stack.use(await makeGpgsmHome(correspondence))))
    return {
      ...claws,
      async read(mail) {
        const { text, labels } = await claws.show(mail)
        return {
          opens: text.includes(`\n${SHOWN_BODY}`),
          verifies: labels.some((label) => label.startsWith('Good signature from ')),
          shown: ['body', subjectsIn(text)].join(', '),
          screen: JSON.stringify({ text, labels }),
        }
      },
    }
  },
  outbound: FEW_OUTBOUND,
  inbound: (['sign', 'encrypt', 'sign-encrypt'] as const).map((layering): Case => ({
    layering,
    form: 'detached',
    cipher: 'aes-128-cbc',
    from: 'rsa',
    to: 'rsa',
  })),
  /** What gpgsm 2.2 cannot do, and what is encrypted within an opaque signature. */
  isBeyond: (how) =>
    isEncrypted(how) &&
    (how.cipher === 'aes-256-gcm' ||
      how.to === 'p256' ||
      how.keyTransport === 'rsa-oaep' ||
      (how.form === 'opaque' && how.layering !== 'sign-encrypt')),
  /** Opaque ones are checked only when their reader asks. */
  hidesSignature: ({ form }) => form === 'opaque',
  missesChange: () => false,
})

/** Outside, and as Legacy Display (RFC 9788 §5.2) repeats it at the beginning of the text. */
function subjectsIn(text: string): string {
  const outside = /^Subject: (.*)$/m.exec(text)?.[1] ?? ''
  const isRepeated = text.includes(`\n\nSubject: ${SUBJECT}\n\n${SHOWN_BODY}`)
  return `${outside === SUBJECT ? 'its Subject' : `Subject ${outside}`}${isRepeated ? ', its own in the text' : ''}`
}
