/** A POP3 server over mailboxes in memory, for tests of the server itself. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Pop3CloseReason, Pop3Deps } from '../../src/access/pop3/deps.ts'
import { MessageGone, type Maildrop } from '../../src/access/pop3/maildrop.ts'
import { startPop3, type Pop3Options, type Pop3Server, type Pop3Tls } from '../../src/access/pop3/server.ts'

export const USER = 'bob@abc.com'
export const PASSWORD = 'correct horse'

/** Bob's mailbox. What a test changes here is what a client meets at its next login. */
export class TestMailbox {
  readonly contents = new Map<number, Uint8Array>()
  /** `read` gives chunks of this size. */
  chunkBytes = 8192
  /** Called before each chunk of a `read`; may throw, or wait. */
  onChunk: (id: number, index: number) => void | Promise<void> = () => {}
  /** Messages being read, whose file would be open. */
  readsUnderWay = 0
  onRemove: () => void | Promise<void> = () => {}
  #lastId = 100

  add(content: Uint8Array | string): number {
    this.contents.set(++this.#lastId, typeof content === 'string' ? Buffer.from(content, 'latin1') : content)
    return this.#lastId
  }

  open(): Maildrop {
    const messages = Array.from(this.contents, ([id, content]) => ({
      id,
      uidl: `uid-${id}`,
      sizeBytes: content.length,
    }))
    return {
      messages,
      read: (id) => this.#read(id),
      remove: async (ids) => {
        await this.onRemove()
        for (const id of ids) this.contents.delete(id)
      },
    }
  }

  async *#read(id: number): AsyncGenerator<Uint8Array> {
    const content = this.contents.get(id)
    if (content === undefined) throw new MessageGone()
    this.readsUnderWay++
    try {
      for (let at = 0, index = 0; at < content.length; at += this.chunkBytes, index++) {
        await this.onChunk(id, index)
        yield content.subarray(at, at + this.chunkBytes)
      }
    } finally {
      this.readsUnderWay--
    }
  }
}

export interface TestPop3 {
  readonly server: Pop3Server
  readonly port: number
  readonly mailbox: TestMailbox
  /** Names of the events, in order, each with what tells most: `closed quit`. */
  readonly events: string[]
  readonly errors: unknown[]
}

const started: Pop3Server[] = []

/** A test that fails before it stops its server would otherwise keep the process alive. */
after(() => Promise.all(started.map((server) => server.stop())))

/** Starts a server on 127.0.0.1; without options it speaks in clear, offers STLS and takes passwords on loopback. */
export async function startTestPop3(
  options: Partial<Pop3Options> = {},
  mailbox: TestMailbox = new TestMailbox(),
): Promise<TestPop3> {
  const events: string[] = []
  const errors: unknown[] = []
  const deps: Pop3Deps = {
    mayConnect: () => true,
    login: async (name, password) => {
      if (name === 'broken@abc.com') throw new Error('the store is down')
      if (name === 'later@abc.com') return { ok: false, temporary: true }
      return name === USER && password === PASSWORD
        ? { ok: true, open: async () => mailbox.open() }
        : { ok: false, temporary: false }
    },
    events: {
      loggedIn: () => events.push('loggedIn'),
      loginFailed: (_, failure) => events.push(`loginFailed ${failure.name}`),
      retrieved: (_, message) => events.push(`retrieved ${message.id}`),
      removed: (_, ids) => events.push(`removed ${ids.join(' ')}`),
      turnedAway: (_, why) => events.push(`turnedAway ${why}`),
      closed: (_, why: Pop3CloseReason) => events.push(`closed ${why}`),
      failed: (_, error) => {
        events.push('failed')
        errors.push(error)
      },
    },
  }
  const server = await startPop3(
    {
      host: '127.0.0.1',
      port: 0,
      implicitTls: false,
      tls: testTls(),
      allowPlainOnLoopback: true,
      ...options,
      limits: { loginFailureDelayMs: 10, stopIdleMs: 50, stopGraceMs: 3_000, ...options.limits },
    },
    deps,
  )
  started.push(server)
  return { server, port: server.address.port, mailbox, events, errors }
}

const tls = new Map<string, Pop3Tls>()

/** A self-signed certificate for 127.0.0.1 and localhost, made once a process for each name. */
export function testTls(name = 'test'): Pop3Tls {
  const made = tls.get(name) ?? makeTls()
  tls.set(name, made)
  return made
}

function makeTls(): Pop3Tls {
  const folder = mkdtempSync(join(tmpdir(), 'pop3-tls-'))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  try {
    execFileSync(
      'openssl',
      [...request, '-subj', '/CN=localhost', '-addext', names, '-keyout', key, '-out', certificate],
      {
        stdio: 'ignore',
      },
    )
    return { certificatePem: readFileSync(certificate, 'latin1'), keyPem: readFileSync(key, 'latin1') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
