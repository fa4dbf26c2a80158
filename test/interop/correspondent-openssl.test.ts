/** A correspondent who reads and writes protected mail with `openssl cms`, against the running server. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { needs } from '../support/apt.ts'
import type { Correspondence } from '../support/correspondence.ts'
import { OUTBOUND_EXTRAS, casesFor } from '../support/correspondent-cases.ts'
import { openssl, runProgram } from '../support/correspondent.ts'
import { describePeerTool } from '../support/peer-tool-suite.ts'
import type { Outcome, PeerTool } from '../support/peer-tool.ts'

describePeerTool({
  title: 'openssl cms',
  programs: needs('openssl', 'openssl'),
  makeTool: opensslTool,
  outbound: [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS],
  inbound: casesFor(['sign', 'encrypt', 'encrypt-sign', 'sign-encrypt', 'triple']),
  isBeyond: () => false,
})

async function opensslTool({ peer, ourCaFile, users }: Correspondence): Promise<PeerTool> {
  const version = (await openssl(['version'])).toString().split(' ').slice(0, 2).join(' ')
  let last = 0
  const fileOf = async (entity: Buffer): Promise<string> => {
    const file = join(peer.folder, `openssl-${++last}.eml`)
    await writeFile(file, entity)
    return file
  }
  const outcome = async (args: readonly string[]): Promise<Outcome> => {
    const { status, stdout, stderr } = await runProgram('openssl', args)
    return status === 0 ? { entity: stdout } : { problem: stderr }
  }
  const keyArgs = (kind: 'rsa' | 'p256', option: string): string[] => {
    const { certificateFile, keyFile } = peer.keys[kind]
    return [option, certificateFile, '-inkey', keyFile]
  }
  return {
    name: `${version}, \`openssl cms\``,
    verify: async (entity) => outcome(['cms', '-verify', '-in', await fileOf(entity), '-CAfile', ourCaFile]),
    decrypt: async (entity, key) =>
      outcome(['cms', '-decrypt', '-in', await fileOf(entity), ...keyArgs(key, '-recip')]),
    sign: (entity, key, form) =>
      openssl(['cms', '-sign', ...(form === 'opaque' ? ['-nodetach'] : []), ...keyArgs(key, '-signer')], entity),
    encrypt: (entity, to, cipher) => openssl(['cms', '-encrypt', `-${cipher}`, users[to].certificateFile], entity),
  }
}
