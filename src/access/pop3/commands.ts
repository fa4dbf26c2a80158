import type { Pop3Command, Pop3CommandName } from '../../protocol/pop3-command.ts'
import { onCapa, onLang, onUtf8 } from './any-time.ts'
import { onAuth, onPass, onStls, onUser } from './authorization.ts'
import type { Answer, CommandContext, SessionState } from './session-state.ts'
import { onDele, onList, onNoop, onRetr, onRset, onStat, onTop, onUidl } from './transaction.ts'
import { onQuit } from './update.ts'

type Stage = SessionState['stage']

interface CommandRow<Name extends Pop3CommandName> {
  readonly allowedIn: readonly Stage[]
  run(context: CommandContext, command: Extract<Pop3Command, { readonly name: Name }>): Answer | Promise<Answer>
}

/** Which command is allowed when (RFC 1939 §4 and §5, RFC 2449 §5, RFC 2595 §4, RFC 5034 §4, RFC 6856 §2 and §3). */
const COMMANDS = {
  USER: { allowedIn: ['authorization', 'named'], run: onUser },
  PASS: { allowedIn: ['named'], run: onPass },
  AUTH: { allowedIn: ['authorization', 'named'], run: onAuth },
  STLS: { allowedIn: ['authorization', 'named'], run: onStls },
  UTF8: { allowedIn: ['authorization', 'named'], run: onUtf8 },
  CAPA: { allowedIn: ['authorization', 'named', 'transaction'], run: onCapa },
  LANG: { allowedIn: ['authorization', 'named', 'transaction'], run: onLang },
  QUIT: { allowedIn: ['authorization', 'named', 'transaction'], run: onQuit },
  STAT: { allowedIn: ['transaction'], run: onStat },
  LIST: { allowedIn: ['transaction'], run: onList },
  UIDL: { allowedIn: ['transaction'], run: onUidl },
  RETR: { allowedIn: ['transaction'], run: onRetr },
  TOP: { allowedIn: ['transaction'], run: onTop },
  DELE: { allowedIn: ['transaction'], run: onDele },
  RSET: { allowedIn: ['transaction'], run: onRset },
  NOOP: { allowedIn: ['transaction'], run: onNoop },
} as const satisfies { readonly [Name in Pop3CommandName]: CommandRow<Name> }

/** Runs the command, or gives `undefined` when it is not allowed now. */
export function runCommand(context: CommandContext, command: Pop3Command): Answer | Promise<Answer> | undefined {
  // The row of a name takes the command of that name: `satisfies` above has checked it for each.
  const row = COMMANDS[command.name] as CommandRow<Pop3CommandName>
  return row.allowedIn.includes(context.state.stage) ? row.run(context, command) : undefined
}
