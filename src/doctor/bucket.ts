/** The bucket of large messages: an object is written, read and removed. */
import type { Desk } from '../admin/desk.ts'
import { BucketFailed } from '../store/bucket/bucket.ts'
import { type Finding, good, trouble } from './finding.ts'

/** None where large messages are in the database or beside it. */
export async function examineBucket({ config, store }: Desk): Promise<readonly Finding[]> {
  const settings = config.store.bucket
  if (store.bucket === undefined || settings === null) return []
  const check = `bucket ${settings.name}`
  try {
    await store.bucket.tryOut(`doctor-${process.pid}`)
    return [good(check, 'can be written and read')]
  } catch (error) {
    if (!(error instanceof BucketFailed)) throw error
    return [
      trouble(check, 'broken', error.message, {
        why: 'Mail over 64 kB is answered 451 and cannot be fetched; the server says that it is not ready.',
        remedy: REMEDIES[error.code] ?? 'Look at the log of the store for this request.',
      }),
    ]
  }
}

const KEY = 'Compare store.bucket.accessKeyId and the first line of secretKeyFile with what the store knows.'
const REMEDIES: Readonly<Record<string, string>> = {
  NoConnection: 'Is it running, and "store.bucket.endpoint" right? Its TLS certificate may need "caFile".',
  NoSuchBucket: 'Make the bucket, or correct "store.bucket.name"; see also "pathStyle".',
  AccessDenied: `The key may not list, read, write or remove there. ${KEY}`,
  SignatureDoesNotMatch: `${KEY} "region" counts too.`,
  InvalidAccessKeyId: KEY,
  RequestTimeTooSkewed: 'The clock of this machine or of the store is wrong: timedatectl',
}
