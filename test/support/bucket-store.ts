/** An empty store with a bucket for each test, on one S3 server for all of a file. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { BucketSettings } from '../../src/store/bucket/s3-request.ts'
import { type LargeAtRest, type Opened, openEmpty } from '../../src/store/conformance/fixture.ts'
import { BYTES_FOLDER } from '../../src/store/database.ts'
import type { S3Server } from './s3-server.ts'

export async function openBucketStore(
  server: S3Server,
  t: TestContext,
  more: Partial<BucketSettings> = {},
): Promise<Opened & { readonly bucket: BucketSettings }> {
  const bucket = { ...(await server.newBucket()), ...more }
  const opened = await openEmpty(t, { bucket })
  const atRest = async (): Promise<readonly Uint8Array[]> => {
    const keys = await server.keys(bucket)
    return [...(await filesIn(opened.dir)), ...(await Promise.all(keys.map((key) => server.read(bucket, key))))]
  }
  return { ...opened, bucket, large: objectsIn(server, bucket, join(opened.dir, BYTES_FOLDER)), atRest }
}

/** In the bucket, and on the way there in `folder`. */
function objectsIn(server: S3Server, bucket: BucketSettings, folder: string): LargeAtRest {
  const { prefix } = bucket
  const keyOf = (name: string): string => name.replace('bucket/', prefix)
  return {
    async names() {
      const local = await readdir(folder).catch(() => [])
      return [...(await server.keys(bucket)).map((key) => key.replace(prefix, 'bucket/')), ...local]
    },
    read: (name) => server.read(bucket, keyOf(name)),
    replace: (name, sealed) => server.write(bucket, keyOf(name), sealed),
    date: (name, atMs) => server.date(bucket, keyOf(name), atMs),
  }
}

async function filesIn(dir: string): Promise<readonly Uint8Array[]> {
  const all = await readdir(dir, { recursive: true, withFileTypes: true })
  return Promise.all(all.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name))))
}
