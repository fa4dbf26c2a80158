/** An IMAP client for scripts: one command at a time, its untagged replies as they came. */
import { connect, type Socket } from 'node:net'

export interface ImapReply {
  readonly tag: string
  /** `OK`, `NO` or `BAD`, and what follows. */
  readonly tagged: string
  /** Without `* `, literals included. */
  readonly untagged: readonly string[]
}

export interface ImapTalk extends AsyncDisposable {
  /** `command` may hold literals that do not wait (RFC 7888). */
  say(command: string): Promise<ImapReply>
}

/** Only what hangs takes so long. */
const TIMEOUT_MS = 60_000

export async function talkImap(port: number, user: string, password: string): Promise<ImapTalk> {
  const socket = connect(port, '127.0.0.1')
  const lines = readReplies(socket)
  let number = 0
  const next = async (): Promise<string> => {
    const limit = setTimeout(() => socket.destroy(new Error('no reply in time')), TIMEOUT_MS)
    const line = await lines.next()
    clearTimeout(limit)
    if (line.done === true) throw new Error('the connection was closed')
    return line.value
  }
  const talk: ImapTalk = {
    async say(command) {
      const tag = `a${++number}`
      socket.write(`${tag} ${command}\r\n`, 'latin1')
      const untagged: string[] = []
      for (;;) {
        const line = await next()
        if (line.startsWith('* ')) untagged.push(line.slice(2))
        else if (line.startsWith(`${tag} `)) return { tag, tagged: line.slice(tag.length + 1), untagged }
        else throw new Error(`unexpected: ${line.slice(0, 200)}`)
      }
    },
    [Symbol.asyncDispose]() {
      socket.destroy()
      return Promise.resolve()
    },
  }
  await next()
  const { tagged } = await talk.say(`LOGIN "${user}" "${password}"`)
  if (!tagged.startsWith('OK')) throw new Error(tagged)
  return talk
}

/** Whole replies, without the last line end: a line that announces a literal goes on behind it (RFC 9051 §4.3). */
async function* readReplies(socket: Socket): AsyncGenerator<string, undefined> {
  let text = ''
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString('latin1')
    for (let end = endOfReply(text); end >= 0; end = endOfReply(text)) {
      yield text.slice(0, end)
      text = text.slice(end + 2)
    }
  }
}

function endOfReply(text: string): number {
  for (let from = 0; ;) {
    const end = text.indexOf('\r\n', from)
    const literal = end < 0 ? null : /\{(\d+)\}$/.exec(text.slice(from, end))
    if (literal === null) return end
    from = end + 2 + Number(literal[1])
    if (from > text.length) return -1
  }
}
