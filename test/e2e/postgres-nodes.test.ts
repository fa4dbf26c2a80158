/** Two nodes on one PostgreSQL, each with its part: what one has taken the other has, and no loss of either costs a mail. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { needsPostgres, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { fetchWhenThere } from '../support/pop3-client.ts'
import { makeNode, makeProvider, type Provider } from '../support/provider.ts'
import { sendUnauthenticated, submit } from '../support/smtp-client.ts'
import { type NextHop, startNextHop } from '../crash/next-hop.ts'

const ANN = 'ann@abc.com'
const BOB = 'bob@abc.com'
const STRANGER = 'stranger@out.example'
/** More than is opened in memory, and many rows. */
const LARGE_BYTES = 5 * 2 ** 20
const PATIENCE_MS = 30_000
const CLIENTS = 3

describe('two nodes on one PostgreSQL', { ...needsPostgres(), timeout: 150_000 }, () => {
  let server: PostgresServer
  let nextHop: NextHop
  /** Takes mail in. */
  let front: Provider
  /** Sends it on; users fetch from it. */
  let back: Provider
  const passwords = new Map<string, string>()
  /** How often each recipient's copy came to the next hop. */
  const arrived = new Map<string, number>()

  before(async () => {
    server = await startPostgres()
    nextHop = await startNextHop(
      () => 5,
      ({ recipient }) => arrived.set(recipient, (arrived.get(recipient) ?? 0) + 1),
    )
    front = await makeProvider({
      domains: ['abc.com'],
      store: await server.newDatabase(),
      config: { relay: { routes: { '*': `127.0.0.1:${nextHop.port}` } } },
    })
    for (const address of [ANN, BOB]) {
      const [user] = await front.cli(['user', 'add', address])
      passwords.set(address, String(user?.['password']))
    }
    back = await makeNode(front)
    await Promise.all([front.start({}, ['--role', 'receive']), back.start({}, ['--role', 'relay,access,admin'])])
  })
  after(async () => {
    await Promise.all([front, back, nextHop].map((one) => one[Symbol.asyncDispose]()))
    await server[Symbol.asyncDispose]()
  })

  const password = (address: string): string => passwords.get(address) ?? ''
  const mail = (to: string, body: string): string =>
    `From: ${ANN}\r\nTo: ${to}\r\nSubject: nodes\r\nContent-Type: text/plain\r\n\r\n${body}\r\n`
  const submitted = async (to: string): Promise<string> => {
    const { submission: port } = front.ports
    const { reply } = await submit({ port, user: ANN, password: password(ANN), to: [to], message: mail(to, 'hello') })
    return reply
  }
  const comes = async (recipients: readonly string[]): Promise<void> => {
    const giveUpMs = performance.now() + PATIENCE_MS
    while (!recipients.every((recipient) => arrived.has(recipient)) && performance.now() < giveUpMs) await wait(20)
    assert.deepEqual(
      recipients.filter((recipient) => !arrived.has(recipient)),
      [],
    )
  }

  test('each starts its part and no other', () => {
    const listening = ({ log }: Provider): string[] =>
      Object.keys(log.find(({ event }) => event === 'ready')?.['listeners'] as object).toSorted()
    assert.deepEqual(listening(front), ['http', 'mx', 'submission', 'submissions'])
    assert.deepEqual(listening(back), ['http', 'pop3', 'pop3s'])
  })

  test('the tables are as this program needs them', async () => {
    const [done] = await front.cli(['migrate'])
    assert.equal(done?.['from'], done?.['to'])
  })

  test('what one takes the other sends on, and a user fetches from it', async () => {
    assert.match(await submitted('first@out.example'), /^250/)
    await comes(['first@out.example'])
    assert.match(await submitted(BOB), /^250/)
    const [fetched] = await fetchWhenThere(back.ports.pop3s, BOB, password(BOB))
    assert.match(fetched?.toString() ?? '', /\r\nhello\r\n/)
  })

  test('a change of an administrator on one counts on the other', async () => {
    const [user] = await back.cli(['user', 'add', 'carol@abc.com'])
    const message = mail('carol@abc.com', 'welcome')
    assert.match(await sendUnauthenticated(front.ports.mx, STRANGER, { to: ['carol@abc.com'], message }), /^250/)
    await fetchWhenThere(back.ports.pop3s, 'carol@abc.com', String(user?.['password']))
  })

  test('a large mail that one node has taken is fetched from the other as it was', async () => {
    const body = randomBytes(LARGE_BYTES / 2)
      .toString('hex')
      .replaceAll(/.{76}/g, '$&\r\n')
    const message = mail(ANN, body).replace(`From: ${ANN}`, `From: ${STRANGER}`)
    assert.match(await sendUnauthenticated(front.ports.mx, STRANGER, { to: [ANN], message }), /^250/)
    const [fetched] = await fetchWhenThere(back.ports.pop3s, ANN, password(ANN))
    assert.ok(fetched?.includes(body))
  })

  test('SIGKILL of PostgreSQL and of the node that sends, under load: nothing that was answered 250 is lost', async () => {
    const ended = new AbortController()
    const [accepted, refused] = [[] as string[], [] as string[]]
    const client = async (name: number): Promise<void> => {
      for (let at = 0; !ended.signal.aborted; at++) {
        const to = `load-${name}-${at}@out.example`
        const reply = await submitted(to)
        if (reply.startsWith('250')) accepted.push(to)
        else {
          refused.push(reply)
          await wait(50)
        }
      }
    }
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)))
    const more = async (): Promise<void> => {
      const wanted = accepted.length + 2 * CLIENTS
      for (const giveUpMs = performance.now() + PATIENCE_MS; accepted.length < wanted && performance.now() < giveUpMs;)
        await wait(20)
      assert.ok(accepted.length >= wanted, `mail does not flow again: ${refused.at(-1)}`)
    }
    await more()
    await server.kill()
    await front.event('trouble')
    const ready = await fetch(`http://127.0.0.1:${front.ports.http}/readyz`)
    assert.equal(ready.status, 503)
    assert.match(await ready.text(), /database/)
    await server.start()
    await more()
    await back.stop('SIGKILL')
    await more()
    await back.start({}, ['--role', 'relay,access,admin'])
    await more()
    ended.abort()
    await clients
    assert.ok(
      refused.every((reply) => reply.startsWith('4')),
      refused.find((reply) => !reply.startsWith('4')) ?? '',
    )
    await back.cli(['queue', 'retry', '--all'])
    await comes(accepted)
    const twice = [...arrived].filter(([, count]) => count > 1)
    assert.ok(twice.length <= 2 * CLIENTS, `${twice.length} came twice`)
    process.stdout.write(`${accepted.length} accepted, 0 lost, ${twice.length} duplicated, ${refused.length} put off\n`)
  })
})
