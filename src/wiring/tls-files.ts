/** Certificate and key of the listeners. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Config } from '../config/load.ts'

/** PEM. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** Throws when the two are no pair: with an empty key, say, a listener would take them and then fail in every session. */
export async function readTls({ tls }: Config): Promise<TlsFiles> {
  const [cert, key] = await Promise.all([readFile(tls.certificate, 'utf8'), readFile(tls.key, 'utf8')])
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('they are no pair')
  } catch (error) {
    throw new Error(`Certificate ${tls.certificate} and key ${tls.key}: ${(error as Error).message}`, { cause: error })
  }
  return { cert, key }
}
