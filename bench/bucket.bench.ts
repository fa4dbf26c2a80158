/** What is too large for a row of the message bytes: pieces in the database against objects in a bucket, in turns. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresServer } from '../test/support/postgres.ts'
import type { Provider } from '../test/support/provider.ts'
import { type S3Server, needsS3Server, startS3Server } from '../test/support/s3-server.ts'
import type { Effort, Row } from './row.ts'
import { type Setting, inTurns, printed } from './settings.ts'
import type { SmtpDrain } from './smtp-drain.ts'
import { type Pace, type Pair, build, freshMail, inboundSide, mustHaveVerified, outboundSide } from './versus.bench.ts'

const KIND = 'ec-p256'
const MAIL_BYTES = 200_000
const SIZE = '200 kB'
const MAILS = 100

export async function bucketRows(drain: SmtpDrain, server: PostgresServer, effort: Effort): Promise<Row[]> {
  const { skip } = needsS3Server()
  if (skip !== false) {
    process.stderr.write(`nodes, bytes in a bucket: ${skip}\n`)
    return []
  }
  await using s3 = await startS3Server()
  const store = (): Promise<string> => server.newDatabase()
  await using inRows = await build(KIND, drain, { store })
  await using inBucket = await build(KIND, drain, { store })
  const buckets = [await useBucket(inBucket.sending, s3), await useBucket(inBucket.receiving, s3)]
  const rows: Row[] = []
  for (const way of [outward, inward]) {
    const settings = [
      await way('bytes in the database', inRows, drain),
      await way('bytes in a bucket', inBucket, drain),
    ]
    const [database, bucket] = await inTurns(
      settings.map((each, index) => ({ ...each, server, ...(index === 1 && { bucket: s3 }) })),
      effort,
      MAILS,
    )
    if (database === undefined || bucket === undefined) continue
    const against = [{ reference: 'database', ratio: bucket.perSecond / database.perSecond }]
    rows.push(...printed(database, SIZE, []), ...printed(bucket, SIZE, against))
  }
  for (const { receiving } of [inRows, inBucket]) mustHaveVerified(receiving)
  const [, received] = buckets
  if (received === undefined || (await s3.keys(received)).length === 0) throw new Error('nothing is in the bucket')
  return rows
}

const LARGE: Pace = { mail: () => freshMail(MAIL_BYTES) }

const outward = async (name: string, pair: Pair, drain: SmtpDrain): Promise<Omit<Setting, 'server'>> => {
  const side = outboundSide(pair, drain)
  const run: typeof side.run = (mails, pace) => side.run(mails, { ...LARGE, ...pace })
  return { name: `PostgreSQL, ${name}: out, ${KIND}`, side: { ...side, run }, nodes: [pair.sending] }
}

const inward = async (name: string, pair: Pair, drain: SmtpDrain): Promise<Omit<Setting, 'server'>> => ({
  name: `PostgreSQL, ${name}: in, ${KIND}`,
  side: await inboundSide(pair, drain, undefined, { ...LARGE, kept: 8 }),
  nodes: [pair.receiving],
})

/** From its next start on, which is now. */
async function useBucket(node: Provider, s3: S3Server): Promise<Awaited<ReturnType<S3Server['newBucket']>>> {
  const bucket = await s3.newBucket()
  const { endpoint, name, prefix, accessKeyId } = bucket
  const secretKeyFile = join(node.dir, 's3-secret')
  await writeFile(secretKeyFile, `${bucket.secretKey}\n`, { mode: 0o600 })
  await node.stop()
  await node.configure({
    store: { bucket: { endpoint, name, prefix, accessKeyId, secretKeyFile, timeoutSeconds: 20 } },
  })
  await node.start()
  return bucket
}
