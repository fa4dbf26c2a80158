/** Settings of `mailboxes`: where opened mail goes. */
import { z } from 'zod'
import { lmtpField, nextHopField } from './fields.ts'

const ONLY_OVER_TLS =
  'To a mail store on another machine mail goes only over TLS with a certificate that names it. `true` does without, for a network that nobody else can listen to.'

export const mailboxesField = z
  .strictObject({
    lmtp: lmtpField
      .nullable()
      .default(null)
      .describe(
        'A mail store behind us, such as Dovecot, gets every opened mail by LMTP: the path of its UNIX socket, or `host:port`. `null` keeps mail in mailboxes of our own, which users read by POP3.',
      ),
    lmtpInClear: z.boolean().default(false).describe(ONLY_OVER_TLS),
    smtp: nextHopField
      .nullable()
      .default(null)
      .describe(
        'As `mailboxes.lmtp`, for a mail server that is spoken to by SMTP, such as Postfix or Exchange: `host:port`, or `host` for port 25. Only one of the two.',
      ),
    smtpInClear: z.boolean().default(false).describe(ONLY_OVER_TLS),
  })
  .refine(({ lmtp, smtp }) => lmtp === null || smtp === null, {
    error: 'mail goes to one mail store: write "lmtp" or "smtp"',
  })

export type Mailboxes = z.infer<typeof mailboxesField>

/** Whether opened mail goes to a server behind us, and not into mailboxes of our own. */
export const hasMailStore = ({ lmtp, smtp }: Mailboxes): boolean => lmtp !== null || smtp !== null
