/**
 * Debian's OpenStack Swift as an S3-compatible store: proxy, account, container and object server on free ports of 127.0.0.1,
 * one replica, all in a temporary folder that is gone with the test.
 */
import { AwsClient } from 'aws4fetch'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readListing } from '../../src/store/bucket/s3-answers.ts'
import type { BucketSettings } from '../../src/store/bucket/s3-request.ts'
import { needsAll } from './apt.ts'
import { freePort } from './free-port.ts'

const START_TIMEOUT_MS = 60_000
/** Of a client: Swift is in Python, and the machine may be busy. */
const SILENCE_MAX_MS = 20_000
const REGION = 'us-east-1'
const ACCOUNT = 'provider'
const USER = 'sealpost'
const BACKENDS = ['account', 'container', 'object'] as const

export interface S3Server extends AsyncDisposable {
  readonly port: number
  /** Of all its processes. */
  readonly pids: readonly number[]
  /** Of a new and empty bucket. */
  newBucket(): Promise<BucketSettings>
  /** What lies in a bucket, by key; not by our own client. */
  keys(bucket: BucketSettings): Promise<string[]>
  read(bucket: BucketSettings, key: string): Promise<Buffer>
  write(bucket: BucketSettings, key: string, bytes: Uint8Array): Promise<void>
  /** As if the object had been written then. */
  date(bucket: BucketSettings, key: string, atMs: number): Promise<void>
  start(): Promise<void>
  /** SIGKILL, to the server that clients speak to. */
  kill(): Promise<void>
}

export function needsS3Server(): { skip: string | false } {
  return needsAll({
    'swift-proxy-server': 'swift-proxy',
    'swift-account-server': 'swift-account',
    'swift-container-server': 'swift-container',
    'swift-object-server': 'swift-object',
  })
}

export async function startS3Server(): Promise<S3Server> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-swift-'))
  await mkdir(join(dir, 'devices', 'disk'), { recursive: true })
  await makeRings(dir)
  const server = new Swift(dir, await freePort())
  await server.startAll()
  return server
}

class Swift implements S3Server {
  readonly port: number
  readonly #dir: string
  readonly #endpoint: string
  readonly #secret = randomBytes(16).toString('hex')
  readonly #client: AwsClient
  readonly #backends: ChildProcess[] = []
  #proxy: ChildProcess | undefined
  #said = ''

  constructor(dir: string, port: number) {
    this.port = port
    this.#dir = dir
    this.#endpoint = `http://127.0.0.1:${port}`
    const [accessKeyId, secretAccessKey] = [`${ACCOUNT}:${USER}`, this.#secret]
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region: REGION, service: 's3', retries: 0 })
  }

  get pids(): readonly number[] {
    return [this.#proxy, ...this.#backends].flatMap((child) => child?.pid ?? [])
  }

  async startAll(): Promise<void> {
    await writeFile(join(this.#dir, 'proxy-server.conf'), proxyConfiguration(this.#dir, this.port, this.#secret))
    for (const kind of BACKENDS) this.#backends.push(this.#spawn(kind))
    await this.start()
  }

  async start(): Promise<void> {
    this.#proxy = this.#spawn('proxy')
    const giveUpMs = performance.now() + START_TIMEOUT_MS
    while (!(await this.#works())) {
      if (performance.now() > giveUpMs) throw new Error(`Swift does not start: ${this.#said}`)
      await sleep(100)
    }
  }

  async newBucket(): Promise<BucketSettings> {
    const name = `mail-${randomBytes(6).toString('hex')}`
    await this.#ask(name, 'PUT')
    return {
      endpoint: this.#endpoint,
      region: REGION,
      name,
      prefix: 'sealpost/',
      pathStyle: true,
      accessKeyId: `${ACCOUNT}:${USER}`,
      secretKey: this.#secret,
      silenceMaxMs: SILENCE_MAX_MS,
    }
  }

  async keys({ name }: BucketSettings): Promise<string[]> {
    const listing = readListing(await (await this.#ask(`${name}?list-type=2`, 'GET')).text())
    return listing.objects.map(({ key }) => key)
  }

  async read({ name }: BucketSettings, key: string): Promise<Buffer> {
    return Buffer.from(await (await this.#ask(`${name}/${key}`, 'GET')).arrayBuffer())
  }

  async write({ name }: BucketSettings, key: string, bytes: Uint8Array): Promise<void> {
    await this.#ask(`${name}/${key}`, 'PUT', bytes)
  }

  /** In the database of the container, where listings come from; its triggers want a row to be replaced. */
  async date({ name }: BucketSettings, key: string, atMs: number): Promise<void> {
    await this.keys({ name } as BucketSettings) // what is still to be entered is entered now
    const files = await readdir(join(this.#dir, 'devices'), { recursive: true, withFileTypes: true })
    for (const { name: file, parentPath } of files) {
      if (!file.endsWith('.db') || !parentPath.includes('/containers/')) continue
      using database = new DatabaseSync(join(parentPath, file))
      database.function('chexor', { varargs: true }, (hash) => hash) // a checksum for replicas, of which there are none
      const { container } = database.prepare('SELECT container FROM container_info').get() as { container: string }
      const row = database.prepare('SELECT * FROM object WHERE name = ? AND deleted = 0').get(key)
      if (container !== name || row === undefined) continue
      database.prepare('DELETE FROM object WHERE name = ?').run(key)
      database
        .prepare('INSERT INTO object (name, created_at, size, content_type, etag) VALUES (?, ?, ?, ?, ?)')
        .run(key, (atMs / 1000).toFixed(5), row['size'] ?? 0, row['content_type'] ?? '', row['etag'] ?? '')
      return
    }
    throw new Error(`there is no ${key} in ${name}`)
  }

  kill(): Promise<void> {
    return ended(this.#proxy)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#proxy, ...this.#backends].map(ended))
    await rm(this.#dir, { recursive: true, force: true })
  }

  async #works(): Promise<boolean> {
    try {
      await this.#ask('ready', 'PUT').catch(() => undefined) // it may be there
      await this.#ask('ready/now', 'PUT', Buffer.from('yes'))
      return true
    } catch {
      return false
    }
  }

  async #ask(path: string, method: string, body?: Uint8Array): Promise<Response> {
    const response = await this.#client.fetch(`${this.#endpoint}/${path}`, { method, ...(body && { body }) })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }

  #spawn(kind: string): ChildProcess {
    const child = spawn(`swift-${kind}-server`, [join(this.#dir, `${kind}-server.conf`)], {
      cwd: this.#dir,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-10_000)))
    return child
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

/** One disk, and where its servers listen. swift-ring-builder would take a second for each of nine steps. */
async function makeRings(dir: string): Promise<void> {
  const ports = Object.fromEntries(await Promise.all(BACKENDS.map(async (kind) => [kind, await freePort()] as const)))
  await promisify(execFile)('/usr/bin/python3', ['-c', MAKE_RINGS, dir, JSON.stringify(ports)])
  await Promise.all(
    Object.entries(ports).map(([kind, port]) =>
      writeFile(join(dir, `${kind}-server.conf`), backendConfiguration(dir, kind, port)),
    ),
  )
}

const MAKE_RINGS = `
import json, sys
from swift.common.ring import RingBuilder
for kind, port in json.loads(sys.argv[2]).items():
    builder = RingBuilder(part_power=1, replicas=1, min_part_hours=1)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'weight': 1, 'ip': '127.0.0.1', 'port': port, 'device': 'disk',
                     'replication_ip': '127.0.0.1', 'replication_port': port, 'meta': ''})
    builder.rebalance()
    builder.get_ring().save(f'{sys.argv[1]}/{kind}.ring.gz')
`

const backendConfiguration = (dir: string, kind: string, port: number): string => `${common(dir, port)}
devices = ${dir}/devices
mount_check = false
recon_cache_path = ${dir}

[pipeline:main]
pipeline = ${kind}-server

[app:${kind}-server]
use = egg:swift#${kind}
`

const common = (dir: string, port: number): string => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
workers = 0
user = ${userInfo().username}
swift_dir = ${dir}
log_level = ERROR`

const proxyConfiguration = (dir: string, port: number, secret: string): string => `${common(dir, port)}

[pipeline:main]
pipeline = catch_errors cache s3api tempauth bulk slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# who asks before a server listens must not be told for a minute that it is broken
error_suppression_limit = 1000000
allow_account_management = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:cache]
use = egg:swift#memcache

[filter:s3api]
use = egg:swift#s3api
location = ${REGION}

[filter:tempauth]
use = egg:swift#tempauth
user_${ACCOUNT}_${USER} = ${secret} .admin

[filter:bulk]
use = egg:swift#bulk

[filter:slo]
use = egg:swift#slo
`
