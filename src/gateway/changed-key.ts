/** A correspondent's key has changed: the postmaster is told where it is held and a person has to ask. */
import { randomBytes } from 'node:crypto'
import { utf8 } from '../base/bytes.ts'
import { type Address, type Domain, domainOf, parseAddress } from '../message/address.ts'
import { entity } from '../message/build.ts'
import { formatDate, formatMessageId } from '../message/date.ts'
import { makeField } from '../message/header-field.ts'
import { findAccount } from '../store/accounts.ts'
import type { Store } from '../store/database.ts'
import type { Tx } from '../store/schema.ts'
import { type Notice, queueNotice } from './notice.ts'

interface ChangedKey {
  readonly address: Address
  readonly fingerprint: string
}

/**
 * Sealed before the transaction that stores the mail, which queues them when the key is held. The postmasters are those of the
 * readers' domains, where they have an account.
 */
export async function changedKeyNotices(
  store: Store,
  key: ChangedKey,
  mail: { readonly nowMs: number; readonly readers: readonly Address[] },
): Promise<readonly Notice[]> {
  const domains = [...new Set(mail.readers.map(domainOf))]
  const notices = await Promise.all(domains.map((domain) => noticeTo(store, domain, key, mail.nowMs)))
  return notices.filter((notice) => notice !== undefined)
}

/** For a key that was looked up: the same, ready to be queued in the transaction that keeps the key. */
export async function changedKeyAlarm(
  store: Store,
  key: ChangedKey,
  facts: { readonly nowMs: number; readonly readers: readonly Address[] },
): Promise<(tx: Tx) => Promise<void>> {
  const notices = await changedKeyNotices(store, key, facts)
  return async (tx) => {
    for (const notice of notices) await queueNotice(store, tx, notice, facts.nowMs)
  }
}

async function noticeTo(store: Store, domain: Domain, key: ChangedKey, nowMs: number): Promise<Notice | undefined> {
  const to = parseAddress(`postmaster@${domain}`)
  const account = to === undefined ? undefined : await findAccount(store.db, to)
  if (to === undefined || account?.status !== 'active') return undefined
  const messageId = formatMessageId(randomBytes(16), domain)
  const fields = [
    makeField('From', `mailer-daemon@${domain}`),
    makeField('To', to),
    makeField('Subject', 'A correspondent has another key'),
    makeField('Date', formatDate(nowMs)),
    makeField('Message-ID', messageId),
    makeField('Auto-Submitted', 'auto-generated'),
    makeField('MIME-Version', '1.0'),
    makeField('Content-Type', 'text/plain; charset=utf-8'),
    makeField('Content-Transfer-Encoding', '8bit'),
  ]
  return { to, messageId, bytes: await store.bytes.seal(...entity(fields, [utf8(textAbout(key))])) }
}

const textAbout = ({ address, fingerprint }: ChangedKey): string =>
  [
    `There is a certificate of ${address} by another authority, or from another`,
    'source, than that of their key known so far, which is still valid.',
    '',
    `    ${fingerprint}`,
    '',
    'It is held: mail to them is encrypted to the key known so far. Ask them, by',
    'another way than mail, whether the new one is theirs. If it is:',
    '',
    `    sealpost key confirm ${fingerprint}`,
    '',
    'If it is not, somebody has talked an authority or a key server into it:',
    '',
    `    sealpost key revoke ${fingerprint}`,
    '',
  ].join('\r\n')
