/** The mail store behind us, that gets every opened mail. */
import type { Config } from '../config/load.ts'
import { mailStoreIn } from '../relay/route.ts'
import { type Finding, good, trouble } from './finding.ts'
import { greetingOf } from './greeting.ts'

/** None where mailboxes are ours. */
export async function examineMailStore({ mailboxes }: Config): Promise<readonly Finding[]> {
  const store = mailStoreIn(mailboxes)
  if (store === undefined) return []
  const { protocol, hop } = store
  const check = `mail store ${mailboxes[protocol]}`
  const at = hop.port === 0 ? { path: hop.host } : { host: hop.host, port: hop.port }
  const greeting = await greetingOf(at, { tls: false, speaksFirst: true, proxied: false })
  if (greeting.kind === 'said' && /^220[ -]/.test(greeting.text)) return [good(check, 'answers')]
  const finding =
    greeting.kind === 'refused' ? 'nobody listens there' : 'something else answers there, or nobody in time'
  return [
    trouble(check, 'broken', finding, {
      why: 'Opened mail waits in the queue, and users do not see it; after some days it is returned.',
      remedy: REMEDIES[protocol],
    }),
  ]
}

const REMEDIES = {
  lmtp: 'systemctl status dovecot; its service lmtp must have the listener that "mailboxes.lmtp" names.',
  smtp: 'Start the mail server, and see that it listens where "mailboxes.smtp" says, for this machine too.',
}
