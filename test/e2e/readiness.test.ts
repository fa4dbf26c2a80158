/** What breaks under the running server is said by /readyz and once in the log, costs no mail, and is over when it is over. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { LOCK_WAIT_MAX_MS } from '../../src/store/dialect/sqlite.ts'
import { needs } from '../support/apt.ts'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider } from '../support/provider.ts'
import { type Ready, readyAt } from '../support/readiness.ts'
import { type ScriptedDns, startScriptedDns } from '../support/scripted-dns.ts'
import { submit } from '../support/smtp-client.ts'
import { eventually } from '../support/eventually.ts'

const run = promisify(execFile)
const ANN = 'ann@abc.com'
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'
/** Too large a package to be asked for. */
const PROMTOOL = {
  skip: existsSync('/usr/bin/promtool') ? false : 'promtool is missing: apt-get install -y prometheus',
}
/** Mounting asks for root. */
const ROOT = { skip: process.getuid?.() === 0 ? false : 'only root may mount' }
/** Larger than what lies in the database itself. */
const LARGE_BYTES = 600_000
/** Longer than an answer of /readyz is given again. */
const FRESH_MS = 1_100

describe('a server that is watched', { timeout: 180_000 }, () => {
  let provider: Provider
  let dns: ScriptedDns
  let password = ''
  let disk = ''
  let clockFile = ''
  let sent = 0

  before(async () => {
    dns = await startScriptedDns({})
    provider = await makeProvider({
      domains: ['abc.com'],
      config: { limits: { messageSizeMaxBytes: 1_000_000 }, dns: { resolver: dns.resolver } },
    })
    const home = join(provider.configFile, '..')
    disk = join(provider.dir, 'disk')
    clockFile = join(provider.dir, 'clock')
    await mkdir(disk)
    await writeFile(clockFile, '+0\n')
    if (ROOT.skip === false) await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk])
    for (const file of ['master.key', 'sealpost.db']) await cp(join(home, file), join(disk, file))
    await provider.configure({ dataDir: disk })
    const [user] = await provider.cli(['user', 'add', ANN])
    password = String(user?.['password'])
    await provider.start()
  })
  after(async () => {
    await provider.stop()
    if (ROOT.skip === false) await run('umount', ['--lazy', disk])
    await provider[Symbol.asyncDispose]()
    await dns[Symbol.asyncDispose]()
  })

  const url = (path: string): string => `http://127.0.0.1:${provider.ports.http}${path}`

  const ready = (): Promise<Ready> => readyAt(provider.ports.http)

  /** Says so for as long as it lasts. */
  async function readyAgain(): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      if ((await ready()).status === 200) return
      await wait(500)
    }
    assert.deepEqual(await ready(), { status: 200, failing: {} })
  }

  async function send(bytes = 100): Promise<string> {
    const line = `${'x'.repeat(70)}\r\n`
    const message = `From: ${ANN}\r\nTo: ${ANN}\r\nSubject: x\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}`
    const { reply } = await submit({ port: provider.ports.submission, user: ANN, password, to: [ANN], message })
    if (reply.startsWith('250')) sent++
    return reply
  }

  /** Everything that was answered 250 has arrived, and nothing else. */
  async function nothingLost(): Promise<void> {
    await provider.cli(['queue', 'retry', '--all'])
    const mails = await fetchWhenThere(provider.ports.pop3s, ANN, password, sent, 20_000)
    await wait(200)
    assert.equal((await fetchAll(provider.ports.pop3s, ANN, password)).length, sent)
    assert.equal(mails.length, sent)
  }

  const said = (event: string, check: string): number =>
    provider.log.filter((one) => one.event === event && one['check'] === check).length

  /** Each of both so often in the log, whose lines may come after the answer that they tell of. */
  async function mustHaveSaid(check: string, times: number): Promise<void> {
    await eventually(() => assert.deepEqual([said('check-failed', check), said('check-passed', check)], [times, times]))
  }

  test('all is well: alive, ready, and its numbers tell what happened', async () => {
    const healthy = await fetch(url('/healthz'))
    assert.equal(await healthy.text(), 'ok\n')
    assert.equal(healthy.headers.get('connection'), 'close', 'nobody looks again on a connection that is just closing')
    assert.deepEqual(await ready(), { status: 200, failing: {} })
    assert.match(await send(), /^250/)
    await nothingLost()
    const metrics = await (await fetch(url('/metrics'))).text()
    const value = (series: string): number =>
      Number(
        metrics
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')
          .at(-1),
      )
    assert.equal(value('sealpost_messages_received_total{by="submission"}'), 1)
    assert.equal(value('sealpost_recipients_protected_total{protection="encrypted",standard="smime"}'), 1)
    const found = 'outcome="accept",rule="valid",signature="valid",encrypted="yes",standard="smime"'
    assert.equal(value(`sealpost_verdicts_total{${found}}`), 1)
    const stages = [
      ...['receive', 'plan', 'protect', 'commit'].map((stage) => `stage="${stage}",by="submission"`),
      ...['receive', 'open', 'commit', 'deliver'].map((stage) => `stage="${stage}",by="local"`),
    ]
    for (const stage of stages) assert.equal(value(`sealpost_stage_seconds_count{${stage}}`), 1, stage)
    assert.equal(value('sealpost_deliveries_total{outcome="delivered"}'), 1)
    assert.equal(value('sealpost_queue_recipients{state="ready"}'), 0)
    assert.ok(value('sealpost_commits_total') > 2)
    assert.ok(value('process_resident_memory_bytes') > 2 ** 24)
    assert.doesNotMatch(metrics, /abc\.com|NaN|undefined/, 'no address, no number that is none')
  })

  test('promtool finds nothing wrong with them', PROMTOOL, async () => {
    const metrics = await (await fetch(url('/metrics'))).text()
    const checked = run('promtool', ['check', 'metrics'])
    checked.child.stdin?.end(metrics)
    const { stdout, stderr } = await checked
    assert.equal(`${stdout}${stderr}`, '')
  })

  test('nor with the alerts that the manual begins with, which ask for numbers that there are', PROMTOOL, async () => {
    const manual = await readFile(new URL('../../docs/operating/monitoring.md', import.meta.url), 'utf8')
    const [rules = ''] = /^groups:\n[^`]+/m.exec(manual) ?? []
    const file = join(provider.dir, 'alerts.yml')
    await writeFile(file, rules)
    const { stdout } = await run('promtool', ['check', 'rules', file])
    assert.match(stdout, new RegExp(`SUCCESS: ${rules.match(/- alert:/g)?.length} rules found`))
    const metrics = await (await fetch(url('/metrics'))).text()
    for (const [name] of rules.matchAll(/sealpost_\w+/g))
      assert.ok(metrics.includes(`# TYPE ${name.replace(/_bucket$/, '')} `), name)
  })

  test('the database is locked by another process', async () => {
    const other = new DatabaseSync(join(disk, 'sealpost.db'))
    other.exec('BEGIN IMMEDIATE')
    await wait(FRESH_MS)
    const sending = send()
    const { status, failing } = await ready()
    assert.equal(status, 503)
    assert.match(failing['database'] ?? '', /no answer within/)
    other.exec('ROLLBACK')
    other.close()
    assert.match(await sending, /^250/)
    await readyAgain()
    await mustHaveSaid('database', 1)
    await nothingLost()
  })

  test('the database is locked for longer than a mail can wait: the sender is asked to try again', async () => {
    const other = new DatabaseSync(join(disk, 'sealpost.db'))
    other.exec('BEGIN IMMEDIATE')
    const beganMs = performance.now()
    assert.match(await send(), /^451 4\.3\.0 /)
    assert.ok(performance.now() - beganMs >= LOCK_WAIT_MAX_MS)
    assert.match((await ready()).failing['database'] ?? '', /no answer within|locked/)
    other.exec('ROLLBACK')
    other.close()
    await readyAgain()
    assert.match(await send(), /^250/)
    await mustHaveSaid('database', 2)
    await nothingLost()
  })

  test('the disk is full', ROOT, async () => {
    const { bavail, bsize } = await statfs(disk)
    const filler = join(disk, 'filler')
    await writeFile(filler, Buffer.alloc(bavail * bsize - 8192))
    await wait(FRESH_MS)
    const full = await ready()
    assert.equal(full.status, 503)
    assert.equal(full.failing['room'], 'no room for more mail: disk')
    assert.match(await send(LARGE_BYTES), /^4/)
    await wait(FRESH_MS)
    await ready()
    await rm(filler)
    await readyAgain()
    assert.match(await send(LARGE_BYTES), /^250/)
    await provider.event('recovered')
    const lines = provider.log.filter(({ event }) => event === 'overloaded' || event === 'recovered')
    assert.deepEqual(
      lines.map(({ event, why }) => [event, why]),
      [
        ['overloaded', 'disk'],
        ['recovered', undefined],
      ],
    )
    await nothingLost()
  })

  test("the messages' folder is on a file system that became read-only", ROOT, async () => {
    const folder = join(disk, 'bytes')
    const before = said('check-failed', 'bytes-folder') // a full disk has no room for it either
    await run('mount', ['--bind', folder, folder])
    await run('mount', ['-o', 'remount,ro,bind', folder])
    await wait(FRESH_MS)
    const { failing, status } = await ready()
    assert.equal(status, 503)
    assert.match(failing['bytes-folder'] ?? '', /EROFS/)
    assert.match(await send(LARGE_BYTES), /^4/)
    await run('umount', ['--lazy', folder])
    await readyAgain()
    assert.match(await send(LARGE_BYTES), /^250/)
    await mustHaveSaid('bytes-folder', before + 1)
    await nothingLost()
  })

  test('the name server is down: mail is taken, and readiness says what is missing', async () => {
    const { resolver } = dns
    await dns[Symbol.asyncDispose]()
    await wait(FRESH_MS)
    const { failing, status } = await ready()
    assert.equal(status, 503)
    assert.deepEqual(Object.keys(failing), ['resolver'])
    assert.match(await send(), /^250/)
    dns = await startScriptedDns({}, Number(resolver.split(':')[1]))
    await readyAgain()
    await mustHaveSaid('resolver', 1)
    await nothingLost()
  })

  test('the clock is set by an hour, forth and back', needs('faketime', 'faketime'), async () => {
    await provider.stop()
    await provider.start({
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: clockFile,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    })
    await readyAgain()
    for (const [offset, direction] of [
      ['+3600', 'forward'],
      ['+0', 'back'],
    ] as const) {
      await writeFile(clockFile, `${offset}\n`)
      await wait(FRESH_MS)
      const { failing, status } = await ready()
      assert.equal(status, 503)
      assert.match(failing['clock'] ?? '', new RegExp(`the clock was set ${direction} by (?:3600|3599|3601) s`))
      assert.match(await send(), /^250/)
    }
    assert.equal(said('check-failed', 'clock'), 1)
    await nothingLost()
  })
})
