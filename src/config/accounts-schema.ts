/** Settings of users who are known elsewhere. */
import { z } from 'zod'
import { countField, ldapUrlField } from './fields.ts'

const ldap = z.strictObject({
  urls: z
    .array(ldapUrlField)
    .min(1)
    .describe(
      'Directories that know the same, asked in this order: `ldaps://ldap.example.org`, or `ldap://` for StartTLS.',
    ),
  startTls: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'For `ldap://`: `auto` is StartTLS, but for a directory on this machine, by its address (127.0.0.1, ::1) or as localhost. `never` sends passwords in clear.',
    ),
  caFile: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'PEM file of the authorities that may vouch for the directory; `null` is those of Node. Relative to this file.',
    ),
  bindDn: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('The entry as which we search; `null` searches without a name.'),
  bindPasswordFile: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('File with the password of `bindDn` in its first line; relative to this file.'),
  baseDn: z.string().describe('Where the users are: `ou=people,dc=example,dc=org`.'),
  filter: z
    .string()
    .min(3)
    .default('(objectClass=inetOrgPerson)')
    .describe(
      'Which entries there are users (RFC 4515). For Active Directory: `(&(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))`.',
    ),
  addressAttribute: z.string().min(1).default('mail').describe("The user's address."),
  aliasAttribute: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('More addresses whose mail the user gets, such as `mailAlternateAddress` or `proxyAddresses`.'),
  aliasPrefix: z
    .string()
    .default('')
    .describe('What stands there in front of each; for `proxyAddresses` it is `smtp:`.'),
  idAttribute: z
    .string()
    .min(1)
    .nullable()
    .default('entryUUID')
    .describe(
      'What tells an entry from another one that is given its address later (RFC 4530), so that nobody inherits keys and mail; for Active Directory `objectGUID`. `null` is none: then whoever has the address is its user.',
    ),
  timeoutSeconds: countField(1, 60).default(5).describe('For a connection, and for each answer.'),
  cacheSeconds: countField(0, 3_600)
    .default(60)
    .describe(
      'How long it is believed that there is a user; that there is none, 10 seconds at most. Passwords are asked each time.',
    ),
})

export const accountsField = z.strictObject({
  file: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('A file of users, one a line: `address:hash`; relative to this file. See [accounts.md](accounts.md).'),
  ldap: ldap
    .nullable()
    .prefault(null)
    .describe('A directory of users; `null` is none. See [accounts.md](accounts.md).'),
})
