/** Opens configuration, master key, store and keys for one command, and closes them after it. */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import type { Desk } from '../admin/desk.ts'
import { readSecret } from '../base/secret-file.ts'
import { type Config, loadConfig } from '../config/load.ts'
import { TrustAnchors } from '../keys/anchors.ts'
import { Correspondents } from '../keys/correspondents.ts'
import { DkimKeys } from '../keys/dkim-keys.ts'
import { loadMasterKey } from '../keys/master-key.ts'
import { Passwords } from '../keys/password.ts'
import { PrivateKeys } from '../keys/private-keys.ts'
import { PublicKeys } from '../keys/public-keys.ts'
import { parseDomain } from '../message/address.ts'
import type { BucketSettings } from '../store/bucket/s3-request.ts'
import { openStore, type StoreOptions } from '../store/database.ts'

/** The configuration or the master key cannot be used; the message says why. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused'
}

export async function configOf(file: string): Promise<Config> {
  const config = await loadConfig(file, process.env)
  if (!config.ok) throw new ConfigRefused(config.error)
  return config.value
}

export async function openDesk(config: Config, actor = `cli:${userInfo().username}`): Promise<Desk> {
  const store = await openStore(await placeOf(config))
  const { clock } = store
  const publicKeys = new PublicKeys(store)
  return {
    config,
    clock,
    actor,
    store,
    privateKeys: new PrivateKeys(store, clock),
    dkimKeys: new DkimKeys(store),
    publicKeys,
    correspondents: new Correspondents(store, publicKeys),
    anchors: new TrustAnchors(store),
    passwords: new Passwords(),
    domains: config.domains.flatMap((domain) => parseDomain(domain) ?? []),
  }
}

/** Of the store, and what opens it. */
export async function placeOf({ dataDir, store }: Config): Promise<StoreOptions> {
  const masterKey = await loadMasterKey(dataDir, process.env)
  if (!masterKey.ok) throw new ConfigRefused(masterKey.error)
  const bucket = store.bucket === null ? {} : { bucket: await bucketOf(store.bucket) }
  return { dir: dataDir, url: store.url, ...bucket, masterKey: masterKey.value }
}

async function bucketOf({
  secretKeyFile,
  caFile,
  timeoutSeconds,
  ...settings
}: NonNullable<Config['store']['bucket']>): Promise<BucketSettings> {
  try {
    const ca = caFile === null ? undefined : await readFile(caFile, 'utf8')
    return { ...settings, secretKey: await readSecret(secretKeyFile), ca, silenceMaxMs: timeoutSeconds * 1000 }
  } catch (error) {
    throw new ConfigRefused(`store.bucket: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Runs one operation on the desk of a configuration file. */
export async function atDesk<T>(options: { readonly config: string }, work: (desk: Desk) => Promise<T>): Promise<T> {
  const desk = await openDesk(await configOf(options.config))
  try {
    return await work(desk)
  } finally {
    await desk.store.close()
  }
}

/** A password from standard input: its first line, without the line end. */
export async function passwordFromStdin(): Promise<string> {
  return (await standardInput()).toString('utf8').split(/\r?\n/, 1)[0] ?? ''
}

/** A file's bytes; `-` is standard input. */
export async function bytesOf(file: string): Promise<Uint8Array> {
  return file === '-' ? standardInput() : readFile(file)
}

async function standardInput(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
