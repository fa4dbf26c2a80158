/** What providers install, made and installed: the npm package, and the Debian package on a machine with systemd. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { needs, needsAll } from '../support/apt.ts'
import { type BootedMachine, bootMachine, needsBootedMachine } from '../support/booted-machine.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const UNIT = join(ROOT, 'packaging/systemd/sealpost.service')
/** Of ten: 10 is a service that may do everything. */
const EXPOSURE_MAX = 1.7

const execute = promisify(execFile)

suite('packages', needs('dpkg-deb', 'dpkg'), () => {
  let folder = ''
  let made: string[] = []
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealpost-packages-'))
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    await writeFile(join(folder, 'release-key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await writeFile(join(folder, 'release-public.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
    const env = { ...process.env, SEALPOST_RELEASE_KEY: join(folder, 'release-key.pem') }
    const { stdout } = await execute('npm', ['run', '--silent', 'package', '--', '--out', folder], { cwd: ROOT, env })
    made = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('/').at(-1) ?? '')
  })
  after(() => rm(folder, { recursive: true, force: true }))
  const nameOf = (ending: string): string => made.find((name) => name.endsWith(ending)) ?? `no ${ending}`

  test(
    'the bill of materials names every library that runs, and the signatures are good',
    needs('openssl', 'openssl'),
    async () => {
      const bill = JSON.parse(await readFile(join(folder, nameOf('.cdx.json')), 'utf8')) as Bill
      const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Manifest
      const named = bill.components.map(({ name }) => name)
      assert.deepEqual(
        Object.keys(dependencies).filter((name) => !named.includes(name)),
        [],
      )
      assert.equal(bill.metadata.component.name, 'sealpost')
      for (const name of [nameOf('.cdx.json'), 'SHA256SUMS']) {
        const files = ['-sigfile', join(folder, `${name}.sig`), '-in', join(folder, name)]
        const key = ['-pubin', '-inkey', join(folder, 'release-public.pem')]
        await execute('openssl', ['pkeyutl', '-verify', '-rawin', ...key, ...files])
      }
      await execute('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder })
    },
  )

  test('the npm package runs where it was installed', async () => {
    const home = join(folder, 'npm')
    await execute('npm', ['install', '--prefer-offline', '--prefix', home, join(folder, nameOf('.tgz'))])
    const sealpost = join(home, 'node_modules/.bin/sealpost')
    await execute(sealpost, ['init', '--dir', join(folder, 'provider'), '--domain', 'abc.com'])
    const config = ['--config', join(folder, 'provider/sealpost.yaml')]
    await execute(sealpost, ['user', 'add', 'u-suzuki@abc.com', ...config])
    const mail = join(folder, 'mail.eml')
    await writeFile(mail, 'From: u-suzuki@abc.com\r\nTo: u-suzuki@abc.com\r\nSubject: S\r\n\r\nhello\r\n')
    const { stdout } = await execute(sealpost, ['seal', mail, '--from', 'u-suzuki@abc.com', ...config])
    assert.match(stdout, /^Content-Type: multipart\/signed/im)
  })

  test('the unit leaves the service little to do harm with', needs('systemd-analyze', 'systemd'), async () => {
    const { stdout } = await execute('systemd-analyze', ['security', '--offline=true', '--no-pager', UNIT])
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1])
    assert.ok(exposure <= EXPOSURE_MAX, `${exposure}`)
  })

  suite(
    'the Debian package, on a machine with systemd',
    skippedUnless(needsBootedMachine(), needsAll({ swaks: 'swaks', curl: 'curl' })),
    () => {
      let machine: BootedMachine
      before(async () => (machine = await bootMachine(folder)))
      after(() => machine[Symbol.asyncDispose]())
      const sealpost = async (...args: readonly string[]): Promise<string> =>
        machine.run('runuser', '-u', 'sealpost', '--', 'sealpost', ...args)
      const addUser = async (address: string): Promise<string> => {
        const added = JSON.parse(await sealpost('user', 'add', address, '--json', ...CONFIG)) as {
          readonly password: string
        }
        return added.password
      }

      test('installed, set up and started, it takes mail and gives it back', async () => {
        const said = await machine.run('dpkg', '--install', `/mnt/${nameOf('.deb')}`)
        assert.match(said, /sealpost init --dir \/var\/lib\/sealpost/)
        await sealpost('init', '--dir', '/var/lib/sealpost', '--domain', 'abc.com')
        const [password, readerPassword] = [await addUser('t-azuma@abc.com'), await addUser('u-suzuki@abc.com')]
        await machine.run('systemctl', 'start', 'sealpost')
        await machine.run(
          'curl',
          '--silent',
          '--fail',
          '--retry',
          '20',
          '--retry-all-errors',
          '--retry-delay',
          '1',
          ALIVE,
        )
        const signIn = ['--auth', 'PLAIN', '--auth-user', 't-azuma@abc.com', '--auth-password', password]
        const addresses = ['--from', 't-azuma@abc.com', '--to', 'u-suzuki@abc.com', '--body', 'hello from the package']
        const talk = await machine.run('swaks', '--server', '127.0.0.1:587', '--tls', ...signIn, ...addresses)
        assert.match(talk, /250 2\.0\.0 Queued: encrypted and signed for 1/)
        const fetch = [
          '--silent',
          '--noproxy',
          '*',
          '--insecure',
          '--retry',
          '10',
          '--retry-all-errors',
          '--retry-delay',
          '1',
        ]
        const mail = await machine.run(
          'curl',
          ...fetch,
          '--user',
          `u-suzuki@abc.com:${readerPassword}`,
          'pop3s://127.0.0.1/1',
        )
        assert.match(mail, /hello from the package/)
      })

      test('an update restarts it, and removal leaves keys and mail', async () => {
        const pid = () => machine.run('systemctl', 'show', '--property=MainPID', '--value', 'sealpost')
        const before = await pid()
        await machine.run('dpkg', '--install', `/mnt/${nameOf('.deb')}`)
        assert.notEqual(await pid(), before)
        await machine.run('dpkg', '--purge', 'sealpost')
        await assert.rejects(machine.run('systemctl', 'is-active', 'sealpost'))
        assert.match(await machine.run('ls', '/var/lib/sealpost'), /master\.key/)
      })
    },
  )
})

const CONFIG = ['--config', '/var/lib/sealpost/sealpost.yaml']
const ALIVE = 'http://127.0.0.1:8080/healthz'

function skippedUnless(...all: readonly { readonly skip: string | false }[]): { skip: string | false } {
  return all.find(({ skip }) => skip !== false) ?? { skip: false }
}

interface Bill {
  readonly metadata: { readonly component: { readonly name: string } }
  readonly components: readonly { readonly name: string }[]
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
}
