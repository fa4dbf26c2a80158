/** Settings of `mailboxes`: where opened mail goes. */
import { z } from 'zod'
import { lmtpField } from './fields.ts'

export const mailboxesField = z.strictObject({
  lmtp: lmtpField
    .nullable()
    .default(null)
    .describe(
      'A mail store behind us, such as Dovecot, gets every opened mail by LMTP: the path of its UNIX socket, or `host:port`. `null` keeps mail in mailboxes of our own, which users read by POP3.',
    ),
  lmtpInClear: z
    .boolean()
    .default(false)
    .describe(
      'To a mail store on another machine mail goes only over TLS with a certificate that names it. `true` does without, for a network that nobody else can listen to.',
    ),
})
