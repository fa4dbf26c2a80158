/** dkimpy (Debian's python3-dkim) signs and verifies: DKIM and ARC by somebody else's code. */
import { execFile } from 'node:child_process'
import { needs } from './apt.ts'

/** Debian's own Python, which has Debian's packages. */
const PYTHON = '/usr/bin/python3'

export const dkimpyIsHere = (): { skip: string | false } => needs('dkimverify', 'python3-dkim python3-nacl')

/** What the name server has under `name`. */
export type TextRecords = Readonly<Record<string, string>>

const PROGRAM = `
import sys, json, base64, dkim
job = json.load(sys.stdin)
mail = base64.b64decode(job['mail'])
def ask(name, timeout=5):
    return job['records'].get(name.decode().rstrip('.'), '').encode() or None
def to_bytes(value):
    return value.encode() if isinstance(value, str) else value
if job['do'] == 'dkim-verify':
    answer = [dkim.DKIM(mail).verify(idx=i, dnsfunc=ask) for i in range(job['count'])]
elif job['do'] == 'arc-verify':
    answer = dkim.arc_verify(mail, dnsfunc=ask)[0].decode()
elif job['do'] == 'dkim-sign':
    how = {name: to_bytes(value) for name, value in job['how'].items()}
    if 'canonicalize' in how: how['canonicalize'] = tuple(part.encode() for part in how['canonicalize'])
    answer = base64.b64encode(dkim.sign(mail, **how)).decode()
else:
    how = {name: to_bytes(value) for name, value in job['how'].items()}
    answer = base64.b64encode(b''.join(dkim.arc_sign(mail, **how))).decode()
json.dump(answer, sys.stdout)
`

interface DkimpyJob {
  readonly do: 'dkim-verify' | 'arc-verify' | 'dkim-sign' | 'arc-sign'
  readonly mail: Uint8Array
  readonly records?: TextRecords
  readonly count?: number
  /** Arguments of dkimpy's own function. */
  readonly how?: Readonly<Record<string, unknown>>
}

function run(job: DkimpyJob): Promise<unknown> {
  const input = JSON.stringify({ records: {}, ...job, mail: Buffer.from(job.mail).toString('base64') })
  return new Promise((resolve, reject) => {
    const child = execFile(PYTHON, ['-c', PROGRAM], { timeout: 30_000 }, (error, stdout, stderr) =>
      error === null ? resolve(JSON.parse(stdout)) : reject(new Error(stderr || error.message)),
    )
    child.stdin?.end(input)
  })
}

/** For each of the first `count` signatures, the topmost first. */
export const dkimpyVerifies = async (
  mail: Uint8Array,
  records: TextRecords,
  count: number,
): Promise<readonly boolean[]> => (await run({ do: 'dkim-verify', mail, records, count })) as boolean[]

/** `pass`, `fail` or `none`. */
export const dkimpyVerifiesArc = async (mail: Uint8Array, records: TextRecords): Promise<string> =>
  (await run({ do: 'arc-verify', mail, records })) as string

/** The mail with what dkimpy puts in front. */
export async function dkimpySigns(
  what: 'dkim-sign' | 'arc-sign',
  mail: Uint8Array,
  how: Readonly<Record<string, unknown>>,
): Promise<Uint8Array> {
  const fields = Buffer.from((await run({ do: what, mail, how })) as string, 'base64')
  return Buffer.concat([fields, mail])
}
