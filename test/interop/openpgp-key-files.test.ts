/** Key files under a password: gpg's and rnp's are read, ours they take in; no other password opens them. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import { needs, needsAll } from '../support/apt.ts'
import { runProgram } from '../support/correspondent.ts'
import { ourPerson } from '../support/openpgp-cases.ts'
import { Folder } from '../support/openpgp-program.ts'

const PASSWORD = 'korrekt, Pferd é'

function mustBeRead(file: Buffer): void {
  const read = openpgp.readKeyFile(file, PASSWORD)
  assert(read?.ok === true, JSON.stringify(read))
  assert.equal(read.value.keys[0]?.subkeys?.length, 2)
  const wrong = openpgp.readKeyFile(file, 'another')
  assert(wrong?.ok !== true || wrong.value.keys.length === 0)
}

const ours = (): Uint8Array =>
  openpgp.writeKeyFile({ keys: [ourPerson('ours@biglobe.example').own], password: PASSWORD })

test('gpg', needsAll({ gpg: 'gpg', 'gpg-agent': 'gpg-agent' }), async () => {
  await using folder = await Folder.make()
  await writeFile(join(folder.path, 'gpg-agent.conf'), 'allow-loopback-pinentry\n')
  const env = { GNUPGHOME: folder.path }
  const gpg = async (args: readonly string[], input?: Uint8Array): Promise<Buffer> => {
    const how = ['--batch', '--yes', '--quiet', '--no-tty', '--pinentry-mode', 'loopback', '--passphrase', PASSWORD]
    const { status, stdout, stderr } = await runProgram('gpg', [...how, ...args], { env, ...(input && { input }) })
    assert.equal(status, 0, stderr)
    return stdout
  }
  try {
    await gpg(['--quick-generate-key', '<theirs@example.org>', 'rsa2048', 'sign', 'never'])
    const listed = (await gpg(['--with-colons', '--list-keys'])).toString()
    await gpg(['--quick-add-key', /^fpr:*([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '', 'rsa2048', 'encr', 'never'])
    mustBeRead(await gpg(['--armor', '--export-secret-keys', '<theirs@example.org>']))
    await gpg(['--import'], ours())
    const signed = await gpg(['--local-user', '<ours@biglobe.example>', '--clearsign'], Buffer.from('Hello\n'))
    assert.match(signed.toString(), /BEGIN PGP SIGNATURE/)
  } finally {
    await runProgram('gpgconf', ['--kill', 'all'], { env })
  }
})

test('rnp', needs('rnp', 'rnp'), async () => {
  await using folder = await Folder.make()
  const home = join(folder.path, 'home')
  await mkdir(home)
  const run = async (command: 'rnp' | 'rnpkeys', args: readonly string[], password = PASSWORD): Promise<Buffer> => {
    const ran = await runProgram(command, ['--homedir', home, '--notty', '--password', password, ...args])
    assert.equal(ran.status, 0, ran.stderr)
    return ran.stdout
  }
  await run('rnpkeys', ['--generate-key', '--userid', 'theirs@example.org', '--numbits', '2048'])
  mustBeRead(await run('rnpkeys', ['--export-key', '--secret', 'theirs@example.org']))
  await run('rnpkeys', ['--import-keys', await folder.file(ours())])
  const [text, out] = [await folder.file(Buffer.from('Hello\n')), folder.unused()]
  await run('rnp', ['--clearsign', '--userid', 'ours@biglobe.example', '--output', out, text])
  await assert.rejects(
    run('rnp', ['--clearsign', '--userid', 'ours@biglobe.example', '--output', `${out}2`, text], 'x'),
  )
})
