/** gpg and sq as processes, as a mail filter would call them: what each mail costs the machine, agent included. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cpuMsOf } from './process-figures.ts'

/** The kernel counts CPU time in these steps. */
const CLOCK_MS = 10

export interface PgpProgram extends Disposable {
  readonly name: string
  /** Mails of this content that it signs and encrypts in a second of CPU; of `times` in a row. */
  seal(content: Uint8Array, times: number): Promise<number>
  /** The same of opening. */
  open(message: Uint8Array, times: number): Promise<number>
}

/** Those that are there. */
export const pgpPrograms = (keyFile: Uint8Array, address: string): PgpProgram[] =>
  [gpg, sq].flatMap((make) => make(keyFile, address) ?? [])

function gpg(keyFile: Uint8Array, address: string): PgpProgram | undefined {
  const folder = newFolder()
  const run = `gpg --homedir ${folder} --batch --quiet --yes --trust-model always --compress-algo none`
  try {
    execFileSync('gpg', ['--homedir', folder, '--batch', '--quiet', '--import'], { input: keyFile, stdio: 'pipe' })
  } catch {
    rmSync(folder, { recursive: true })
    return undefined
  }
  const agent = Number(/^D (\d+)$/m.exec(shell(`gpg-connect-agent --homedir ${folder} 'getinfo pid' /bye`))?.[1])
  const program = programIn(folder, 'gpg', agent, {
    seal: `${run} --armor --local-user ${address} --recipient ${address} --output out --sign --encrypt content`,
    open: `${run} --output out --decrypt message`,
  })
  return {
    ...program,
    [Symbol.dispose]() {
      shell(`gpgconf --homedir ${folder} --kill gpg-agent`)
      program[Symbol.dispose]()
    },
  }
}

/** Of the versions before 1.0, as Debian has it. */
function sq(keyFile: Uint8Array): PgpProgram | undefined {
  const folder = newFolder()
  writeFileSync(path.join(folder, 'key'), keyFile, { mode: 0o600 })
  const program = programIn(folder, 'sq', undefined, {
    seal: 'sq --force encrypt --compression none --signer-key key --recipient-cert key --output out content',
    open: 'sq --force decrypt --recipient-key key --signer-cert key --output out message',
  })
  try {
    writeFileSync(path.join(folder, 'content'), 'x')
    shell(`cd ${folder} && sq --force encrypt --signer-key key --recipient-cert key --output out content`)
    return program
  } catch {
    program[Symbol.dispose]()
    return undefined
  }
}

const newFolder = (): string => mkdtempSync(path.join(tmpdir(), 'pgp-'))
const shell = (command: string): string => execFileSync('sh', ['-c', command], { stdio: 'pipe', encoding: 'utf8' })

function programIn(
  folder: string,
  name: string,
  agentPid: number | undefined,
  commands: { readonly seal: string; readonly open: string },
): PgpProgram {
  const rate = async (file: string, bytes: Uint8Array, command: string, times: number): Promise<number> => {
    writeFileSync(path.join(folder, file), bytes)
    const agentMs = async (): Promise<number> => (agentPid === undefined ? 0 : await cpuMsOf(agentPid))
    const before = await agentMs()
    const loop = `cd ${folder} || exit 1; i=0; while [ $i -lt ${times} ]; do ${command} || exit 1; i=$((i + 1)); done; times`
    const children = shell(loop).trim().split('\n').at(-1) ?? ''
    const cpuMs = shellTimesMs(children) + (await agentMs()) - before
    return (1000 * times) / Math.max(cpuMs, CLOCK_MS)
  }
  return {
    name,
    seal: (content, times) => rate('content', content, commands.seal, times),
    open: (message, times) => rate('message', message, commands.open, times),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** `0m0.123s 0m0.045s`: user and system time of what the shell has run. */
const shellTimesMs = (line: string): number =>
  [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (ms, [, minutes, s]) => ms + Number(minutes) * 60_000 + Number(s) * 1000,
    0,
  )
