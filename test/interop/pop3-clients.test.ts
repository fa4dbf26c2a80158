/** The POP3 clients of Debian fetch from the server, and have to have what is stored, octet for octet. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs, needsAll } from '../support/apt.ts'
import { PASSWORD, startTestPop3, testTls, TestMailbox, USER } from '../support/pop3-server.ts'

const CLIENT_TIMEOUT_MS = 30_000

const HEADER = 'From: a@b.example\r\nTo: bob@abc.com\r\nDate: Sun, 22 Nov 2026 15:00:00 +0000\r\nMIME-Version: 1.0\r\n'
const BINARY = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n'

/** No "From " at a line start: mbox files, in which some clients put what they fetch, change that. */
const MESSAGES: readonly Buffer[] = [
  `${HEADER}Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n..b\r\n\r\n. c\r\n.\r\nend\r\n`,
  `${HEADER}${BINARY}Subject: =?utf-8?B?5pel5pys6Kqe?=\r\n\r\n暗号化されたメール é ß\r\n`,
  `${HEADER}Content-Type: text/plain; charset=iso-2022-jp\r\nSubject: jis\r\n\r\n\x1b$BF|K\\8l\x1b(B\r\n`,
  `${HEADER}Subject: a long line\r\n\r\n${'x'.repeat(1990)}\r\n${'.'.repeat(998)}\r\n`,
  `${HEADER}Subject: no body\r\n\r\n`,
].map((text) => Buffer.from(text, 'utf8'))

const LARGE = Buffer.concat([
  Buffer.from(`${HEADER}Subject: 20 MB\r\n\r\n`),
  Buffer.alloc(20_000_000, '.QUJDREVGRw=\r\n\r\n'),
])

interface Bench {
  readonly mailbox: TestMailbox
  readonly events: readonly string[]
  /** Port of the server that wants STLS before a password. */
  readonly pop3: number
  /** Port of the server with TLS from the first octet. */
  readonly pop3s: number
  /** An empty folder for the client. */
  readonly folder: string
  /** The servers' certificate, made for localhost and 127.0.0.1, as a PEM file. */
  readonly anchor: string
}

/** Servers and a folder; both are gone afterwards. */
async function withBench(messages: readonly Buffer[], work: (bench: Bench) => Promise<void>): Promise<void> {
  const mailbox = new TestMailbox()
  for (const message of messages) mailbox.add(message)
  const stls = await startTestPop3({ allowPlainOnLoopback: false }, mailbox)
  const implicit = await startTestPop3({ allowPlainOnLoopback: false, implicitTls: true }, mailbox)
  const folder = mkdtempSync(join(tmpdir(), 'pop3-client-'))
  const anchor = join(folder, 'anchor.pem')
  writeFileSync(anchor, testTls().certificatePem)
  try {
    await work({ mailbox, events: stls.events, pop3: stls.port, pop3s: implicit.port, folder, anchor })
  } finally {
    await Promise.all([stls.server.stop(), implicit.server.stop()])
    rmSync(folder, { recursive: true })
  }
}

interface Outcome {
  readonly status: number | null
  readonly output: Buffer
  readonly complaints: string
}

/** Runs a client with the folder as its home; it is killed when it does not end. */
async function run(folder: string, command: string, args: readonly string[], input = ''): Promise<Outcome> {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, HOME: folder, TERM: 'xterm', LC_ALL: 'C.UTF-8' },
    timeout: CLIENT_TIMEOUT_MS,
  })
  const output: Buffer[] = []
  const complaints: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk))
  child.stdin.on('error', () => undefined) // a client may end without reading it
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  return { status, output: Buffer.concat(output), complaints: Buffer.concat(complaints).toString() }
}

const withLf = (content: Buffer): string => content.toString('latin1').replaceAll('\r\n', '\n')

/** The same messages in any order, line ends apart, which clients write as LF. */
function assertSame(fetched: readonly string[], messages: readonly Buffer[]): void {
  assert.deepEqual(fetched.toSorted(), messages.map(withLf).toSorted())
}

/** The messages of an mbox file; what the client has added to the header is taken out. */
function readMbox(path: string): string[] {
  const [, ...messages] = readFileSync(path, 'latin1').split(/^From .*\n/m)
  return messages.map((message) =>
    message.replaceAll(/^(Content-Length|Lines|Status|X-Status): .*\n/gm, '').slice(0, -1),
  )
}

function readFolder(folder: string): string[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
}

for (const scheme of ['pop3', 'pop3s'] as const)
  test(`curl fetches by ${scheme === 'pop3' ? 'STLS' : scheme}`, needs('curl', 'curl'), () =>
    withBench([...MESSAGES, LARGE], async (bench) => {
      const { folder, anchor } = bench
      const args = ['-sS', '--cacert', anchor, '--ssl-reqd', '-u', `${USER}:${PASSWORD}`]
      for (const [index, message] of [...MESSAGES, LARGE].entries()) {
        const { output, complaints } = await run(folder, 'curl', [
          ...args,
          `${scheme}://localhost:${bench[scheme]}/${index + 1}`,
        ])
        assert.equal(complaints, '')
        assert(output.equals(message), `message ${index + 1}`)
      }
      const list = await run(folder, 'curl', [...args, `${scheme}://localhost:${bench[scheme]}/`])
      assert(list.output.toString().startsWith(`1 ${MESSAGES[0]?.length}\r\n2 `))
    }),
  )

test('curl signs in by AUTH PLAIN with and without an initial response', needs('curl', 'curl'), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3s }) => {
    for (const option of ['--sasl-ir', '--no-sasl-ir']) {
      const login = ['-u', `${USER}:${PASSWORD}`, '--login-options', 'AUTH=PLAIN', option]
      const { output } = await run(folder, 'curl', [
        '-sS',
        '--cacert',
        anchor,
        ...login,
        `pop3s://localhost:${pop3s}/1`,
      ])
      assert(output.equals(MESSAGES[0] as Buffer), option)
    }
  }),
)

test('curl with a wrong password gets nothing', needs('curl', 'curl'), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3s }) => {
    const args = ['-sS', '--cacert', anchor, '-u', `${USER}:wrong`, `pop3s://localhost:${pop3s}/1`]
    const { status, output } = await run(folder, 'curl', args)
    assert.equal(status, 67) // CURLE_LOGIN_DENIED
    assert.equal(output.length, 0)
  }),
)

test('fetchmail fetches by STLS, knows what it has seen, and deletes', needs('fetchmail', 'fetchmail'), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3, mailbox, events }) => {
    const rc = join(folder, 'fetchmailrc')
    const poll = async (options: string): Promise<string[]> => {
      const out = mkdtempSync(join(folder, 'out-'))
      const server = `poll localhost proto pop3 uidl service ${pop3} user "${USER}" password "${PASSWORD}"`
      const tls = `sslproto "TLS1.2+" sslcertck sslcertfile "${anchor}"`
      writeFileSync(rc, `${server} ${tls} ${options} no rewrite no mimedecode mda "cat > ${out}/$$"\n`, { mode: 0o600 })
      const args = ['-f', rc, '--invisible', '--nosyslog', '--pidfile', join(folder, 'pid'), '-i', join(folder, 'ids')]
      const { status, complaints } = await run(folder, 'fetchmail', args)
      assert([0, 1].includes(status ?? 2), complaints) // 1: nothing new
      return readFolder(out)
    }
    assertSame(await poll('keep'), MESSAGES)
    assertSame(await poll('keep'), [])
    const later = Buffer.from(`${HEADER}Subject: later\r\n\r\nnew\r\n`)
    mailbox.add(later)
    assertSame(await poll('keep'), [later])
    assert.equal(mailbox.contents.size, MESSAGES.length + 1)
    assertSame(await poll('fetchall nokeep'), [...MESSAGES, later])
    assert.equal(mailbox.contents.size, 0)
    assert.equal(events.at(-1), 'closed quit')
  }),
)

test('getmail fetches by pop3s and deletes', needs('getmail', 'getmail6'), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3s, mailbox }) => {
    const out = mkdtempSync(join(folder, 'out-'))
    const rc = `
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = ${pop3s}
username = ${USER}
password = ${PASSWORD}
ca_certs = ${anchor}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > ${out}/$$")
allow_root_commands = true
[options]
delete = true
delivered_to = false
received = false
`
    writeFileSync(join(folder, 'getmailrc'), rc)
    const { status, complaints } = await run(folder, 'getmail', [
      `--getmaildir=${folder}`,
      `--rcfile=${folder}/getmailrc`,
    ])
    assert.equal(status, 0, complaints)
    const added = /^Return-Path: .*\n/
    assertSame(
      readFolder(out).map((message) => message.replace(added, '')),
      MESSAGES,
    )
    assert.equal(mailbox.contents.size, 0)
  }),
)

test('mutt fetches by STLS', needsAll({ mutt: 'mutt', script: 'bsdutils' }), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3, events }) => {
    const set = [
      `ssl_ca_certificates_file=${anchor}`,
      `certificate_file=${anchor}`,
      'ssl_starttls=yes',
      'ssl_force_tls=yes',
      `pop_user="${USER}"`,
      `pop_pass="${PASSWORD}"`,
      'confirmappend=no confirmcreate=no delete=no move=no copy=no quit=yes wait_key=no sleep_time=0 weed=no',
      `folder=${folder}`,
    ]
    writeFileSync(join(folder, 'muttrc'), set.map((settings) => `set ${settings}\n`).join(''))
    const push = `push <tag-pattern>.<enter><tag-prefix><copy-message>${folder}/mbox<enter><exit>`
    const mutt = `mutt -n -F muttrc -f pop://localhost:${pop3} -e '${push}'`
    const { status } = await run(folder, 'script', ['-qec', mutt, '/dev/null'])
    assert.equal(status, 0)
    assertSame(readMbox(join(folder, 'mbox')), MESSAGES)
    assert.equal(events.at(-1), 'closed quit')
  }),
)

/** In the mbox file of s-nail a message without body has no empty line after its header. */
const WITH_BODY = MESSAGES.slice(0, -1)

test('s-nail fetches by STLS and by pop3s', needs('s-nail', 's-nail'), () =>
  withBench(WITH_BODY, async ({ folder, anchor, pop3, pop3s }) => {
    const login = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}@localhost`
    for (const url of [`pop3://${login}:${pop3}`, `pop3s://${login}:${pop3s}`]) {
      const mbox = join(folder, `mbox-${url.slice(0, 5)}`)
      const settings = ['-Sv15-compat', '-Spop3-use-starttls', `-Stls-ca-file=${anchor}`, '-Stls-verify=strict']
      const args = ['-:/', '-#', ...settings, '-Y', `copy * ${mbox}`, '-Y', 'exit', '-f', url]
      const { complaints } = await run(folder, 's-nail', args)
      assertSame(readMbox(mbox), WITH_BODY)
      assert.doesNotMatch(complaints, /error/i)
    }
  }),
)

test('openssl s_client speaks with it, by STLS and by pop3s', needs('openssl', 'openssl'), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3, pop3s }) => {
    const commands = `USER ${USER}\nPASS ${PASSWORD}\nRETR 2\nQUIT\n`
    for (const target of [
      ['-connect', `localhost:${pop3}`, '-starttls', 'pop3'],
      ['-connect', `localhost:${pop3s}`],
    ]) {
      const args = ['s_client', '-quiet', '-crlf', '-verify_return_error', '-CAfile', anchor, ...target]
      const { output, complaints } = await run(folder, 'openssl', args, commands)
      assert(output.includes(MESSAGES[1] as Buffer), complaints)
    }
  }),
)

const POPLIB = `
import poplib, ssl, sys
port, secure, anchor, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5]
context = ssl.create_default_context(cafile=anchor)
if secure == 'stls':
    pop = poplib.POP3('localhost', port)
    assert 'STLS' in pop.capa()
    pop.stls(context)
else:
    pop = poplib.POP3_SSL('localhost', port, context=context)
pop.utf8()
pop.user(user)
pop.pass_(password)
count, size = pop.stat()
assert len(pop.uidl()[1]) == len(pop.list()[1]) == count
assert pop.top(1, 0)[1][-1] == b''
messages = [b'\\r\\n'.join(pop.retr(number)[1]) + b'\\r\\n' for number in range(1, count + 1)]
assert sum(map(len, messages)) == size
try:
    pop.retr(count + 1)
    assert False
except poplib.error_proto as error:
    assert b'No such message' in error.args[0]
pop.dele(1)
pop.rset()
pop.dele(2)
pop.quit()
sys.stdout.buffer.write(b'\\0'.join(messages))
`

test("Python's poplib fetches by STLS and by pop3s, and deletes", needs('python3', 'python3'), () =>
  withBench(MESSAGES, async ({ folder, anchor, pop3, pop3s, mailbox }) => {
    let left = [...MESSAGES]
    for (const [port, secure] of [
      [pop3, 'stls'],
      [pop3s, 'tls'],
    ] as const) {
      const args = ['-c', POPLIB, String(port), secure, anchor, USER, PASSWORD]
      const { status, output, complaints } = await run(folder, 'python3', args)
      assert.equal(status, 0, complaints)
      assert.deepEqual(
        output.toString('latin1').split('\0'),
        left.map((message) => message.toString('latin1')),
      )
      left = left.toSpliced(1, 1)
      assert.equal(mailbox.contents.size, left.length)
    }
  }),
)
