/**
 * Programs that know OpenPGP and no mail: keys and messages go in and out as bytes, as with Stateless OpenPGP
 * (draft-dkg-openpgp-stateless-cli); which of them keep keys in a folder of their own, nobody here needs to know.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ran, runProgram } from './correspondent.ts'

export interface OpenpgpProgram extends AsyncDisposable {
  /** With the version. */
  readonly name: string
  /** A transferable secret key under no password; `kind` in the program's own words. */
  newKey(userId: string, kind?: string): Promise<Buffer>
  /** The transferable public key to it. */
  publicOf(key: Uint8Array): Promise<Buffer>
  /** A detached signature. `args` are the program's own, wherever they stand. */
  sign(content: Uint8Array, key: Uint8Array, args?: readonly string[]): Promise<Buffer>
  /** What it says against the signature; `undefined`: it is good. */
  verify(content: Uint8Array, signature: Uint8Array, signer: Uint8Array): Promise<string | undefined>
  /** Text signed in clear, where it can. */
  clearsign?(text: Uint8Array, key: Uint8Array): Promise<Buffer>
  encrypt(content: Uint8Array, how: EncryptOptions): Promise<Buffer>
  decrypt(message: Uint8Array, key: Uint8Array, signer?: Uint8Array): Promise<Decrypted>
}

export interface EncryptOptions {
  /** Transferable public keys. */
  readonly to: readonly Uint8Array[]
  /** A transferable secret key: the message is signed inside. */
  readonly signer?: Uint8Array
  readonly args?: readonly string[]
}

export type Decrypted =
  | { readonly content: Buffer; /** By the signer that was asked for. */ readonly signed: boolean }
  | { readonly problem: string }

/** Files of one program, removed at the end. */
export class Folder implements AsyncDisposable {
  readonly path: string
  #last = 0

  private constructor(path: string) {
    this.path = path
  }

  /** The name is short, for sockets may lie in it. */
  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'pgp-')))
  }

  async file(content: Uint8Array): Promise<string> {
    const path = this.unused()
    await writeFile(path, content)
    return path
  }

  unused(): string {
    return join(this.path, String(++this.#last))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.path, { recursive: true, force: true })
  }
}

export async function succeed(command: string, args: readonly string[], input?: Uint8Array): Promise<Ran> {
  const ran = await runProgram(command, args, input === undefined ? {} : { input })
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')} failed (${ran.status}): ${ran.stderr}`)
  return ran
}
