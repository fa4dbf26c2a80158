/** A correspondent who reads and writes protected mail with NSS, the library of Thunderbird, by its `cmsutil`. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { needsAll } from '../support/apt.ts'
import { cmsOf, multipartSigned, partsOf, pkcs7Mime } from '../support/cms-entity.ts'
import type { Correspondence } from '../support/correspondence.ts'
import { type Case, OUTBOUND_EXTRAS, casesFor } from '../support/correspondent-cases.ts'
import { type Ran, runProgram } from '../support/correspondent.ts'
import { NSS_PROGRAMS, makeNssDatabase, nssVersion } from '../support/nss.ts'
import { describePeerTool } from '../support/peer-tool-suite.ts'
import { type PeerTool, canonical, contentTypeOf } from '../support/peer-tool.ts'

/** It is not told a cipher: AES-128-CBC is what it takes for people of whose program it knows nothing. */
const MAKES: readonly Case[] = (['encrypt', 'encrypt-sign', 'sign-encrypt', 'triple'] as const).flatMap((layering) =>
  (layering === 'encrypt' ? (['detached'] as const) : (['detached', 'opaque'] as const)).flatMap((form) =>
    (['rsa', 'p256'] as const).map((from) => ({
      layering,
      form,
      cipher: 'aes-128-cbc' as const,
      from,
      to: 'rsa' as const,
    })),
  ),
)

describePeerTool({
  title: 'NSS cmsutil',
  programs: needsAll({ ...NSS_PROGRAMS, cmsutil: 'libnss3-tools', openssl: 'openssl' }),
  makeTool: cmsutilTool,
  outbound: [...casesFor(['sign', 'encrypt-sign', 'sign-encrypt', 'triple']), ...OUTBOUND_EXTRAS],
  inbound: [...casesFor(['sign']), ...MAKES],
  isBeyond: isBeyond387,
})

/** NSS knows ECDH and OAEP since 3.101, as Thunderbird has it; before, one recipient with an EC key spoils the mail for all. */
function isBeyond387({ layering, cipher, from, to, keyTransport }: Case): boolean {
  return layering !== 'sign' && (cipher === 'aes-256-gcm' || [from, to].includes('p256') || keyTransport === 'rsa-oaep')
}

async function cmsutilTool(correspondence: Correspondence): Promise<PeerTool> {
  const folder = join(correspondence.peer.folder, 'nss')
  await makeNssDatabase(folder, correspondence)
  let last = 0
  const fileOf = async (content: Uint8Array): Promise<string> => {
    const file = join(folder, `${++last}`)
    await writeFile(file, content)
    return file
  }
  const run = (args: readonly string[]): Promise<Ran> => runProgram('cmsutil', [...args, '-d', `sql:${folder}`])
  const made = async (args: readonly string[]): Promise<Buffer> => {
    const { status, stdout, stderr } = await run(args)
    assert.equal(status, 0, stderr)
    return stdout
  }
  /** What is said of each level stands above the content, as fields of a mail. */
  const decode = async (
    cms: Buffer,
    type: string,
    detached: readonly string[] = [],
  ): Promise<Ran & { said: string }> => {
    const content = await run(['-D', '-i', await fileOf(cms), ...detached])
    const report = await run(['-D', '-n', '-h', '1', '-i', await fileOf(cms), ...detached])
    const said = report.stdout.toString()
    return { ...content, status: said.includes(`type=${type}`) ? content.status : 1, said }
  }
  return {
    name: `NSS ${await nssVersion()}, \`cmsutil\``,
    async verify(entity) {
      const isDetached = contentTypeOf(entity).startsWith('multipart/')
      const [content, signature] = isDetached ? partsOf(entity) : [entity, entity]
      const detached = isDetached ? ['-c', await fileOf(content)] : []
      const { status, said, stdout, stderr } = await decode(cmsOf(signature), 'signedData', detached)
      if (status !== 0 || !said.includes('status=GoodSignature')) return { problem: said + stderr }
      return { entity: isDetached ? content : stdout }
    },
    async decrypt(entity) {
      const { status, said, stdout, stderr } = await decode(cmsOf(entity), 'envelopedData')
      return status === 0 ? { entity: stdout } : { problem: said + stderr }
    },
    async sign(entity, key, form) {
      const content = canonical(entity)
      const options = ['-N', key, '-G', '-P', ...(form === 'detached' ? ['-T'] : [])]
      const cms = await made(['-S', ...options, '-i', await fileOf(content)])
      return form === 'detached' ? multipartSigned(content, cms) : pkcs7Mime('signed-data', cms)
    },
    encrypt: async (entity, to) =>
      pkcs7Mime('enveloped-data', await made(['-E', '-r', `our-${to}`, '-i', await fileOf(entity)])),
  }
}
