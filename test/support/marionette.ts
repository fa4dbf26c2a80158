/**
 * A client of Marionette, the remote control of Mozilla's programs: JSON arrays over TCP, each after its length and a
 * colon. Only what runs a script in the program's own ("chrome") context.
 */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'

export interface Marionette extends Disposable {
  /**
   * Runs the body of an async function with these arguments in the program's main window, and returns what it returns, as
   * JSON knows it. Throws what the script throws.
   */
  run(body: string, args?: readonly unknown[]): Promise<unknown>
}

const SCRIPT_TIMEOUT_MS = 120_000
const CONNECT_ATTEMPTS_MAX = 240
const CONNECT_PAUSE_MS = 250

/** The program may still be starting. */
export async function connectMarionette(port: number): Promise<Marionette> {
  const socket = await connectPatiently(port)
  const waiting = new Map<number, (answer: Answer) => void>()
  let lastId = 0
  let pending = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    for (let message = cut(); message !== undefined; message = cut())
      if (Array.isArray(message)) waiting.get(Number(message[1]))?.({ error: message[2], result: message[3] })
  })
  socket.once('close', () => {
    for (const answer of waiting.values()) answer({ error: 'the program is gone', result: undefined })
  })
  const cut = (): unknown => {
    const colon = pending.indexOf(':')
    const end = colon + 1 + Number(pending.subarray(0, colon).toString())
    if (colon === -1 || pending.length < end) return undefined
    const message: unknown = JSON.parse(pending.subarray(colon + 1, end).toString())
    pending = pending.subarray(end)
    return message
  }
  const command = async (name: string, parameters: object): Promise<unknown> => {
    const id = ++lastId
    const text = JSON.stringify([0, id, name, parameters])
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve))
    socket.write(`${Buffer.byteLength(text)}:${text}`)
    const { error, result } = await answered
    waiting.delete(id)
    if (error !== null) throw new Error(`${name}: ${JSON.stringify(error)}`)
    return result
  }
  await command('WebDriver:NewSession', {})
  await command('Marionette:SetContext', { value: 'chrome' })
  await command('WebDriver:SetTimeouts', { script: SCRIPT_TIMEOUT_MS })
  return {
    async run(body, args = []) {
      const script = `const done = arguments[arguments.length - 1];
        (async (...args) => { ${body} })(...[...arguments].slice(0, -1))
          .then((value) => done({ value: value ?? null }), (error) => done({ error: String(error) }))`
      const answer = await command('WebDriver:ExecuteAsyncScript', {
        script,
        args,
        newSandbox: true,
        sandbox: 'system',
      })
      const { value } = answer as { value: { value?: unknown; error?: string } | null }
      // A dialog that opens meanwhile ends the script; the next command says what stood in it.
      if (value === null) throw new Error('the program asked something')
      if (value.error !== undefined) throw new Error(value.error)
      return value.value
    },
    [Symbol.dispose]: () => socket.destroy(),
  }
}

interface Answer {
  readonly error: unknown
  readonly result: unknown
}

async function connectPatiently(port: number): Promise<Socket> {
  for (let attempt = 1; ; attempt++) {
    const socket = connect({ host: '127.0.0.1', port })
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      if (attempt === CONNECT_ATTEMPTS_MAX) throw error
      await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS))
    }
  }
}
