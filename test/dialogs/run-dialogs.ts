/**
 * Plays dialogs kept as text files (*.smtp, *.pop3) against a running server. One file is one test; a bug report becomes
 * a file. Grammar, one step a line:
 *
 *   # text           comment; empty lines too
 *   @ name           use the listener of that name from here on (default: the first one); a new connection
 *   > text           send the text and CRLF
 *   >> text          send the text as it is, without CRLF (`\r\n` ends lines, `\n` alone is a bare LF)
 *   < text           the next line from the server starts with the text
 *   <= text          the next line from the server is the text
 *   <~ text          the next line from the server contains the text
 *   <+ 250 text      a whole SMTP reply of one or many lines, all with that code; one of them contains the text
 *   <+ 250 !text     … and none of them contains the text
 *   <. text          lines up to and including a line '.'; one of them is the text (without text: any lines)
 *   ~ close          the server closes the connection, without another line
 *   ~ silence 100    the server says nothing for so many milliseconds
 *   ! starttls       hand the connection over to TLS; any certificate will do
 *   ! connect        a new connection; the old one is dropped
 *   ! drop           drop the connection at once
 *   ! end            half-close: we send no more
 *   ! wait 100       wait so many milliseconds
 *   ? text           a question to the test's own `ask`, which throws when the answer is no
 *
 * In sent and expected text: \r \n \t \0 \\ \xNN (a byte) and \*{N|text} (the text N times). Text is UTF-8.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

export interface DialogListener {
  readonly port: number
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** TLS from the first byte. */
  readonly tls?: boolean
}

export interface DialogOptions {
  readonly listeners: Readonly<Record<string, DialogListener>>
  /** Answers '? text' lines by throwing or not. */
  readonly ask?: (question: string) => void | Promise<void>
  /** Hears every line of the server. */
  readonly onLine?: (line: string) => void
  /** How long to wait for a line; default 60,000: only what hangs takes so long. */
  readonly timeoutMs?: number
}

/** Names of the dialog files with that extension ('.smtp') in the folder of this file, sorted. */
export function dialogFiles(extension: string): string[] {
  return readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(extension))
    .toSorted()
}

/** Plays one file of this folder. Rejects with the file, the line and the dialog so far at the first wrong answer. */
export async function playFile(name: string, options: DialogOptions): Promise<void> {
  await playDialog(name, readFileSync(`${import.meta.dirname}/${name}`, 'utf8'), options)
}

/** Plays a dialog given as text; `name` is for the error message. */
export async function playDialog(name: string, text: string, options: DialogOptions): Promise<void> {
  const player = new Player(options)
  let at = 0
  try {
    for (const step of text.split(/\r?\n/)) {
      at++
      if (step.trim() !== '' && !step.startsWith('#')) await player.play(step)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`${name}:${at}: ${why}\n${player.transcript.join('\n')}`, { cause: error })
  } finally {
    player.drop()
  }
}

/** Turns the escapes of a step into bytes. */
export function unescapeText(text: string): Buffer {
  const repeated = text.replaceAll(/\\\*\{(\d+)\|([^}]*)\}/g, (_, times: string, what: string) =>
    what.repeat(Number(times)),
  )
  const parts = repeated.split(/(\\x[0-9a-fA-F]{2}|\\[rnt0\\])/)
  return Buffer.concat(parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part, 'utf8') : Buffer.from([escaped(part)]))))
}

const ESCAPED: Readonly<Record<string, number>> = { r: 0x0d, n: 0x0a, t: 0x09, '0': 0x00, '\\': 0x5c }
const escaped = (escape: string): number => ESCAPED[escape[1] ?? ''] ?? Number.parseInt(escape.slice(2), 16)

class Player {
  readonly transcript: string[] = []
  readonly #options: DialogOptions
  readonly #timeoutMs: number
  #listener: DialogListener
  #socket: Socket | undefined
  #received = Buffer.alloc(0)
  #closed = false
  #wake: () => void = () => undefined

  constructor(options: DialogOptions) {
    this.#options = options
    this.#timeoutMs = options.timeoutMs ?? 60_000
    const first = Object.values(options.listeners)[0]
    if (first === undefined) throw new Error('no listener')
    this.#listener = first
  }

  async play(step: string): Promise<void> {
    const [, sign = '', space = '', rest = ''] = /^([@?!~]|>>?|<[=~+.]?)( ?)(.*)$/s.exec(step) ?? []
    if (sign === '' || (space === '' && rest !== '')) throw new Error(`not a step: ${step}`)
    if (sign === '@') return this.#use(rest.trim())
    if (sign === '?') return await this.#options.ask?.(rest.trim())
    if (this.#socket === undefined) await this.#connect()
    if (sign === '!') return await this.#act(rest.trim())
    if (sign === '~') return await this.#observe(rest.trim())
    if (sign.startsWith('>')) return await this.#send(sign === '>' ? `${rest}\\r\\n` : rest)
    const expected = unescapeText(rest).toString('latin1')
    if (sign === '<+') return await this.#expectReply(expected)
    if (sign === '<.') return await this.#expectLines(expected)
    const line = await this.#line()
    const right = sign === '<' ? line.startsWith(expected) : sign === '<=' ? line === expected : line.includes(expected)
    if (!right) throw new Error(`expected ${JSON.stringify(expected)}`)
  }

  drop(): void {
    this.#socket?.destroy()
    this.#socket = undefined
    this.#received = Buffer.alloc(0)
  }

  #use(name: string): void {
    const listener = this.#options.listeners[name]
    if (listener === undefined) throw new Error(`no listener ${name}`)
    this.drop()
    this.#listener = listener
  }

  async #act(what: string): Promise<void> {
    const [verb = '', argument] = what.split(' ')
    switch (verb) {
      case 'starttls':
        return await this.#startTls()
      case 'connect':
        this.drop()
        return await this.#connect()
      case 'drop':
        this.drop()
        return
      case 'end':
        this.#socket?.end()
        return
      case 'wait':
        await sleep(Number(argument))
        return
      default:
        throw new Error(`not an action: ${what}`)
    }
  }

  async #observe(what: string): Promise<void> {
    const [verb, argument] = what.split(' ')
    if (verb === 'silence') {
      await sleep(Number(argument))
      if (this.#received.length > 0) throw new Error(`not silent: ${JSON.stringify(await this.#line())}`)
    } else if (verb === 'close') {
      await this.#until(() => this.#closed || this.#received.length > 0, 'the end of the connection')
      if (this.#received.length > 0) throw new Error(`not closed: ${JSON.stringify(await this.#line())}`)
    } else throw new Error(`not an observation: ${what}`)
  }

  async #connect(): Promise<void> {
    const { port, host = '127.0.0.1', tls = false } = this.#listener
    const socket = tls
      ? connectTls({ port, host, rejectUnauthorized: false })
      : connect({ port, host, allowHalfOpen: true })
    this.#closed = false
    await this.#opened(socket, tls ? 'secureConnect' : 'connect')
    this.#listen(socket)
  }

  async #startTls(): Promise<void> {
    const plain = this.#socket
    if (plain === undefined) throw new Error('no connection')
    if (this.#received.length > 0) throw new Error(`unread before TLS: ${this.#received.toString('latin1')}`)
    plain.removeAllListeners()
    const socket = connectTls({ socket: plain, rejectUnauthorized: false })
    await this.#opened(socket, 'secureConnect')
    this.transcript.push('! (TLS)')
    this.#listen(socket)
  }

  async #opened(socket: Socket, event: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${event}`)), this.#timeoutMs)
      socket.once('error', reject)
      socket.once(event, () => {
        clearTimeout(timer)
        socket.off('error', reject)
        resolve()
      })
    })
  }

  #listen(socket: Socket): void {
    this.#socket = socket
    const ended = (): void => {
      if (socket === this.#socket) this.#closed = true
      this.#wake()
    }
    socket.on('data', (chunk: Buffer) => {
      if (socket !== this.#socket) return
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    socket.on('end', ended).on('close', ended).on('error', ended)
  }

  /** Resolves once the server's side took the bytes or is gone: a server may close while we still send. */
  async #send(text: string): Promise<void> {
    const bytes = unescapeText(text)
    this.transcript.push(`> ${shown(bytes)}`)
    const socket = this.#socket
    if (socket === undefined || socket.destroyed || !socket.writable) throw new Error('the connection is closed')
    await new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
  }

  async #line(): Promise<string> {
    await this.#until(() => this.#received.includes('\n'), 'a line')
    const end = this.#received.indexOf('\n')
    const line = this.#received.subarray(0, end).toString('latin1')
    this.#received = this.#received.subarray(end + 1)
    this.transcript.push(`< ${line.replace(/\r$/, '')}`)
    if (!line.endsWith('\r')) throw new Error('a line without CR')
    this.#options.onLine?.(line.slice(0, -1))
    return line.slice(0, -1)
  }

  async #expectReply(expected: string): Promise<void> {
    const [, code = '', not = '', text = ''] = /^(\S+) ?(!?)(.*)$/s.exec(expected) ?? []
    const lines: string[] = []
    do {
      const line = await this.#line()
      lines.push(line)
      if (!line.startsWith(code)) throw new Error(`expected ${code}`)
    } while (lines.at(-1)?.[3] === '-')
    if (lines.some((line) => line.includes(text)) === (not === '!')) throw new Error(`expected ${not}${text}`)
  }

  async #expectLines(expected: string): Promise<void> {
    const lines: string[] = []
    do lines.push(await this.#line())
    while (lines.at(-1) !== '.')
    if (expected !== '' && !lines.includes(expected)) throw new Error(`expected the line ${JSON.stringify(expected)}`)
  }

  async #until(happened: () => boolean, what: string): Promise<void> {
    const endMs = Date.now() + this.#timeoutMs
    while (!happened()) {
      if (this.#closed) throw new Error(`connection closed, expected ${what}`)
      if (Date.now() >= endMs) throw new Error(`waited in vain for ${what}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, endMs - Date.now())
        this.#wake = (): void => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

const SHOWN_MAX = 200

function shown(bytes: Buffer): string {
  const text = JSON.stringify(bytes.subarray(0, SHOWN_MAX).toString('latin1')).slice(1, -1)
  return bytes.length > SHOWN_MAX ? `${text}… (${bytes.length} bytes)` : text
}
