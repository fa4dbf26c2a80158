/** `sealpost user …` */
import { Command } from 'commander'
import { confirmAllUsers, confirmUser, reassignAddress } from '../admin/operations/disputed-users.ts'
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
  user.addCommand(
    command('confirm [address]', 'The same person, though the directory has another entry for them now.', [
      'sealpost user confirm t-azuma@biglobe.ne.jp',
      'sealpost user confirm --all',
    ])
      .option('--all', 'each user, as when the directory was made anew')
      .action(confirm),
  )
  user.addCommand(
    command(
      'reassign <address>',
      'Another person, by the directory: they begin anew; who had the address is removed.',
      ['sealpost user reassign t-azuma@biglobe.ne.jp'],
    ).action(reassign),
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
  const rows = users.map(({ address, status, source, otherEntryId, createdMs }) => ({
    address,
    status,
    source,
    created: isoTime(createdMs),
    disputed: otherEntryId !== null,
  }))
  sayRows(options, rows, 'No users yet; "sealpost user add ADDRESS" registers one.')
}

async function confirm(
  address: string | undefined,
  options: CommonOptions & { all?: boolean },
  made: Command,
): Promise<void> {
  if ((address === undefined) !== (options.all === true)) made.error('error: name a user, or --all')
  if (address === undefined) {
    await atDesk(options, confirmAllUsers)
    return say(options, { all: true, confirmed: true }, 'each user is whoever the directory has under the address next')
  }
  const confirmed = await atDesk(options, (desk) => confirmUser(desk, { address }))
  say(options, { address: confirmed, confirmed: true }, `${confirmed} goes on with keys and mail`)
}

async function reassign(address: string, options: CommonOptions): Promise<void> {
  const done = await atDesk(options, (desk) => reassignAddress(desk, { address }))
  const held = done.held === 0 ? '' : `; ${done.held} mails for the former user are held in the queue`
  say(options, done, `${done.address} begins anew${held}`)
}

function statusCommand(name: string, status: AccountStatus, description: string): Command {
  return command(`${name} <address>`, description, [`sealpost user ${name} t-azuma@biglobe.ne.jp`]).action(
    async (address: string, options: CommonOptions) => {
      const changed = await atDesk(options, (desk) => setUserStatus(desk, { address, status }))
      say(options, { address: changed, status }, `${changed} is ${status}`)
    },
  )
}
