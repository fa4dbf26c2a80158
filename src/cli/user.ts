/** `sealpost user …` */
import { Command } from 'commander'
import { addUser, listUsers, setUserStatus } from '../admin/operations/users.ts'
import type { AccountStatus } from '../store/accounts.ts'
import { atDesk, passwordFromStdin } from './desk-of.ts'
import { type CommonOptions, command, isoTime, note, say, sayRows } from './output.ts'

export function userCommand(): Command {
  const user = new Command('user').description('Who has an address here.')
  user.addCommand(
    command('add <address>', 'Register a user: gives the address, makes the keys.', [
      'sealpost user add t-azuma@biglobe.ne.jp',
      'printf %s "$PASSWORD" | sealpost user add t-azuma@biglobe.ne.jp --password-stdin',
    ])
      .option('--password-stdin', 'read the password from standard input instead of making one up')
      .action(add),
  )
  user.addCommand(command('list', 'All users.', ['sealpost user list --json']).action(list))
  user.addCommand(statusCommand('suspend', 'suspended', 'The user can neither send nor fetch; mail is still taken.'))
  user.addCommand(statusCommand('resume', 'active', 'Undoes "suspend".'))
  user.addCommand(
    statusCommand('remove', 'removed', 'No more mail; address and keys are kept and never given to others.'),
  )
  return user
}

async function add(address: string, options: CommonOptions & { passwordStdin?: boolean }): Promise<void> {
  const given = options.passwordStdin === true ? await passwordFromStdin() : undefined
  const user = await atDesk(options, (desk) => addUser(desk, { address, password: given }))
  const keys = user.keys.map((key) => `${key.standard} ${key.algorithm} ${key.fingerprint}`)
  say(options, user, [user.address, ...(given === undefined ? [`password  ${user.password}`] : []), ...keys].join('\n'))
  if (given === undefined && options.json !== true) note('The password is shown this once only.')
}

async function list(options: CommonOptions): Promise<void> {
  const users = await atDesk(options, listUsers)
  const rows = users.map(({ address, status, source, createdMs }) => ({
    address,
    status,
    source,
    created: isoTime(createdMs),
  }))
  sayRows(options, rows, 'No users yet; "sealpost user add ADDRESS" registers one.')
}

function statusCommand(name: string, status: AccountStatus, description: string): Command {
  return command(`${name} <address>`, description, [`sealpost user ${name} t-azuma@biglobe.ne.jp`]).action(
    async (address: string, options: CommonOptions) => {
      const changed = await atDesk(options, (desk) => setUserStatus(desk, { address, status }))
      say(options, { address: changed, status }, `${changed} is ${status}`)
    },
  )
}
