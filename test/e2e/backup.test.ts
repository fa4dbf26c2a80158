/** A backup taken from the running server under load, and what a provider made from it still has: mail, keys, queue. */
import assert from 'node:assert/strict'
import { appendFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { fetchAll, fetchWhenThere } from '../support/pop3-client.ts'
import { type Provider, makeProvider, runSealpost } from '../support/provider.ts'
import { submit } from '../support/smtp-client.ts'

const ANN = 'ann@abc.com'
const NOWHERE = 'x@nowhere.example'
const PASSWORD = 'correct horse battery staple'
/** More than lies in the database itself. */
const LARGE = `${'x'.repeat(70)}\r\n`.repeat(3_000)

describe('backup and restore', { timeout: 120_000 }, () => {
  let provider: Provider
  let password = ''
  let copy = ''
  const known: string[] = []
  let sealed = ''

  before(async () => {
    // what goes abroad stays in the queue: nobody listens there
    provider = await makeProvider({ domains: ['abc.com'], config: { relay: { routes: { '*': '127.0.0.1:1' } } } })
    password = String((await provider.cli(['user', 'add', ANN]))[0]?.['password'])
    await provider.start()
    copy = join(provider.dir, 'copy')
    for (const body of ['small', LARGE, 'small too', LARGE]) await send(ANN, body)
    await send(NOWHERE, 'waits')
    await send(NOWHERE, LARGE)
    await fetchWhenThere(provider.ports.pop3s, ANN, password, 4)
    const plain = join(provider.dir, 'plain.eml')
    await writeFile(plain, `From: ${ANN}\r\nTo: ${ANN}\r\nSubject: old\r\n\r\nold words\r\n`)
    sealed = join(provider.dir, 'sealed.eml')
    await writeFile(
      sealed,
      await runSealpost(['seal', plain, '--from', ANN, '--to', ANN, '--config', provider.configFile]),
    )
  })
  after(() => provider[Symbol.asyncDispose]())

  async function send(to: string, body: string): Promise<void> {
    const id = `<${known.length}@abc.com>`
    const message = `From: ${ANN}\r\nTo: ${to}\r\nSubject: x\r\nMessage-ID: ${id}\r\n\r\n${body}\r\n`
    const { reply } = await submit({ port: provider.ports.submission, user: ANN, password, to: [to], message })
    assert.match(reply, /^250/)
    known.push(id)
  }

  const restore = (from: string, dir: string, args: readonly string[], input?: string): Promise<string> =>
    runSealpost(['restore', from, '--dir', dir, '--json', ...args], input)

  test('made while mail comes and goes: whole, and readable by nobody else', async () => {
    const going = new AbortController()
    const load = Promise.all(
      [0, 1].map(async () => {
        while (!going.signal.aborted) await send(ANN, LARGE)
      }),
    )
    const before = known.length
    const [made] = await provider.cli(['backup', copy, '--password-stdin'], PASSWORD)
    going.abort()
    await load
    assert.ok(known.length > before, 'mail went on meanwhile')
    assert.deepEqual(made?.['missing'], [])
    assert.equal(made?.['masterKey'], 'sealed')
    const names = await readdir(copy, { recursive: true, withFileTypes: true })
    for (const name of names.filter((one) => one.isFile()))
      assert.equal((await stat(join(name.parentPath, name.name))).mode & 0o077, 0, name.name)
    assert.ok(!names.some(({ name }) => name === 'master.key'), 'the master key only under the password')
    const [verified] = await provider.cli(['backup', copy, '--verify'])
    assert.deepEqual(verified?.['rows'], made?.['rows'])
    const left = (await readdir(dirname(provider.configFile))).filter((name) => name.startsWith('.backup'))
    assert.deepEqual(left, [], 'nothing is left in the data folder')
  })

  test('nothing is restored from what is damaged, cut off, or under another password', async () => {
    const damaged = join(provider.dir, 'damaged')
    await cp(copy, damaged, { recursive: true })
    const file = (await readdir(join(damaged, 'bytes'), { recursive: true })).find((name) => name.length > 30)
    await appendFile(join(damaged, 'bytes', String(file)), 'x')
    const dir = join(provider.dir, 'never')
    await assert.rejects(runSealpost(['backup', damaged, '--verify']), /is not what was backed up/)
    await assert.rejects(restore(damaged, dir, ['--password-stdin'], PASSWORD), /damaged, nothing was restored/)
    const manifest = join(damaged, 'manifest.jsonl')
    const lines = (await readFile(manifest, 'utf8')).split('\n')
    await writeFile(manifest, lines.slice(0, -2).join('\n'))
    await assert.rejects(restore(damaged, dir, ['--password-stdin'], PASSWORD), /not finished/)
    await writeFile(manifest, lines.join('\n').replace('"name":"bytes/', '"name":"../bytes/'))
    await assert.rejects(restore(damaged, dir, ['--password-stdin'], PASSWORD), /names what no backup holds/)
    await rm(manifest)
    await assert.rejects(restore(damaged, dir, ['--password-stdin'], PASSWORD), /no finished backup/)
    await assert.rejects(restore(copy, dir, ['--password-stdin'], 'a wrong password'), /the password is wrong/)
    await assert.rejects(restore(copy, dir, []), /under a password/)
    await assert.rejects(stat(dir), /ENOENT/)
  })

  test('restored: all mail is there, old keys open old mail, and the queue is held until somebody says so', async () => {
    await provider.stop()
    const dir = join(provider.dir, 'restored')
    const [restored] = [JSON.parse(await restore(copy, dir, ['--password-stdin'], PASSWORD)) as Record<string, unknown>]
    assert.deepEqual(restored?.['damaged'], [])
    assert.ok(Number(restored?.['held']) >= 2, 'what waits for abroad at least')
    const old = dirname(provider.configFile)
    for (const tls of ['tls-certificate.pem', 'tls-key.pem']) await cp(join(old, tls), join(dir, tls))
    const config = parse(await readFile(join(dir, 'sealpost.yaml'), 'utf8')) as Record<string, unknown>
    assert.equal(config['dataDir'], '.')
    // the same ports, another folder
    await rm(old, { recursive: true })
    await mkdir(old)
    await cp(dir, old, { recursive: true })
    await provider.start()

    const mails = (await fetchAll(provider.ports.pop3s, ANN, password)).map(String)
    for (const id of ['<0@abc.com>', '<1@abc.com>', '<2@abc.com>', '<3@abc.com>'])
      assert.ok(
        mails.some((mail) => mail.includes(id)),
        id,
      )
    assert.equal(mails.filter((mail) => mail.includes(LARGE.slice(0, 3_000))).length, mails.length - 2)

    const opened = JSON.parse(
      await runSealpost(['open', sealed, '--for', ANN, '--config', provider.configFile, '--json', '--plaintext']),
    ) as Record<'outcome' | 'plaintext', string>
    assert.equal(opened.outcome, 'accept')
    assert.match(opened.plaintext, /old words/)

    const queue = await provider.cli(['queue', 'list'])
    assert.deepEqual([...new Set(queue.map(({ state }) => state))], ['held'])
    assert.equal(queue.filter(({ to }) => to === NOWHERE).length, 2)
    await send(ANN, 'after')
    const afterwards = await fetchWhenThere(provider.ports.pop3s, ANN, password, mails.length + 1)
    assert.ok(afterwards.some((mail) => mail.includes('after')))
  })
})
