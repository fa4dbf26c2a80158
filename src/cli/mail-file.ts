/** Mail as files have it, brought to the form that was on the wire. */
import { open } from 'node:fs/promises'
import { fromLatin1, latin1 } from '../base/bytes.ts'

/** CRLF line ends (RFC 8551 §3.1.1) where the file has none, and no mbox line in front. */
export function canonicalMail(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = text.subarray(0, 5).toString('latin1') === 'From ' ? text.indexOf('\n') + 1 : 0
  const mail = bytes.subarray(start)
  return text.includes('\r\n') ? mail : fromLatin1(latin1(mail).replaceAll('\n', '\r\n'))
}

/**
 * An option that takes several values also takes the files behind it: `--with ca.pem mail.eml`. When no file was named
 * otherwise, the last values that are files of ours are given back.
 */
export async function takeBackFiles(
  files: readonly string[],
  values: readonly string[] | undefined,
  isFile: (value: string) => boolean | Promise<boolean>,
): Promise<{ files: readonly string[]; values: readonly string[] | undefined }> {
  if (files.length > 0 || values === undefined) return { files, values }
  let kept = values.length
  while (kept > 0 && (await isFile(values[kept - 1] ?? ''))) kept--
  return { files: values.slice(kept), values: kept === 0 ? undefined : values.slice(0, kept) }
}

/** A mail begins with a header field, or with the line that an mbox puts in front. */
export async function looksLikeMail(file: string): Promise<boolean> {
  try {
    await using handle = await open(file)
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(80) })
    return /^(?:From |[!-9;-~]+[ \t]*:)/.test(buffer.toString('latin1', 0, bytesRead))
  } catch {
    return false // the key reader says what is wrong with it
  }
}
