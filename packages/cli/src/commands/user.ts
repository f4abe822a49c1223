import type { User } from '@bridgekeeper/bridge'
import { OPERATOR, type Operations } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { quoted } from '../invocation.ts'
import type { Printed } from '../json/shapes.ts'
import { iso } from '../moment.ts'
import { forTerminal, printAs, printHint, printList } from '../output.ts'
import { newPassword, type PasswordOptions } from '../password.ts'
import { UsageError } from '../usage-error.ts'
import { DATA_FLAG, type DataOptions, withData } from '../with-data.ts'

interface Options extends PasswordOptions, DataOptions {
  readonly admin?: boolean
}

/** A subcommand: its action on the user with this email, and its message. */
interface Action {
  readonly name: 'add' | 'password' | 'role' | 'suspend' | 'resume' | 'logout' | 'delete'
  readonly description: string
  /** Whether it takes a password. */
  readonly takesPassword?: boolean
  readonly takesAdmin?: boolean
  act(operations: Operations, email: string, options: Options): Promise<ActedOn>
  messages(email: string, user: ActedOn): readonly string[]
}

interface ActedOn extends User {
  /** Whether the user was added with a password. */
  readonly hasPassword?: boolean
}

const ENDED = 'Running bridges close its connections within a second.'

const ACTIONS: readonly Action[] = [
  {
    name: 'add',
    description: 'add a user',
    takesPassword: true,
    takesAdmin: true,
    act: addUser,
    messages: (email, { userId, role, hasPassword }) => [
      `Added ${email} as ${userId}${role === 'admin' ? ', an admin' : ''}.`,
      hasPassword === true
        ? 'Next: the user logs in at /login of the bridge.'
        : `Next, for a password to log in at /login of the bridge: bridgekeeper user password ${email}`,
    ],
  },
  {
    name: 'password',
    description: "set the user's password, and end all logins in browsers",
    takesPassword: true,
    act: async ({ users, passwords }, email, options) => {
      const user = await users.find(email)
      const password = await newPassword(options, (typed) => passwords.check(user.email, typed))
      if (password !== undefined) return passwords.reset(user, password, OPERATOR)
      throw new UsageError(
        'The password is missing.',
        'Type it at a terminal, or pass it with --password-stdin.',
      )
    },
    messages: (email) => [`Set the password of ${email}.`],
  },
  {
    name: 'suspend',
    description: "refuse the user's tokens until the user is resumed",
    act: async ({ users }, email) => users.suspend(await users.find(email), OPERATOR),
    messages: (email) => [`Suspended ${email}. ${ENDED}`, `To undo: bridgekeeper user resume ${email}`],
  },
  {
    name: 'resume',
    description: 'accept the tokens of a suspended user again',
    act: async ({ users }, email) => users.resume(await users.find(email), OPERATOR),
    messages: (email) => [`Resumed ${email}.`],
  },
  {
    name: 'logout',
    description: 'end all tokens of the user',
    act: async ({ users, revocations }, email) => revocations.logOut(await users.find(email), OPERATOR),
    messages: (email) => [
      `Ended all tokens of ${email}. ${ENDED}`,
      `Next: bridgekeeper token issue ${email}`,
    ],
  },
  {
    name: 'delete',
    description: "delete the user, with all the user's data",
    act: async ({ users }, email) => users.remove(await users.find(email), OPERATOR),
    messages: (email) => [`Deleted ${email}. ${ENDED}`],
  },
]

/** `bridgekeeper user add|password|role|suspend|resume|logout|delete EMAIL` and `user list`. */
export function userCommand(): Command {
  const user = new Command('user').description("the bridge's users")
  for (const action of ACTIONS) user.addCommand(subcommand(action))
  return user.addCommand(roleCommand()).addCommand(listCommand())
}

function subcommand(action: Action): Command {
  const command = commandFor(action.name, action.description)
  if (action.takesPassword) command.option('--password-stdin', 'read the password from standard input')
  if (action.takesAdmin) command.option('--admin', 'let the user manage others, at /account/users')
  return command.action(async (email: string, options: Options) => run(action, email, options))
}

function roleCommand(): Command {
  const description = 'let the user manage others (admin), or not (user)'
  return commandFor('role', description)
    .argument('<role>', 'admin or user')
    .action(async (email: string, role: string, options: Options) => {
      if (role !== 'admin' && role !== 'user')
        throw new UsageError(
          `The role must be admin or user, got ${JSON.stringify(role)}.`,
          'Write it behind the email: bridgekeeper user role EMAIL admin',
        )
      const act = async ({ users }: Operations): Promise<User> =>
        users.setRole(await users.find(email), role, OPERATOR)
      const messages = (): readonly string[] => [`${email} now has the role ${role}.`]
      await run({ name: 'role', description, act, messages }, email, options)
    })
}

function commandFor(name: Action['name'], description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<email>')
    .option(...DATA_FLAG)
    .option('--json', 'print {"userId","email","role","state","createdAt"}')
}

async function run({ name, act, messages }: Action, email: string, options: Options): Promise<void> {
  const user = await withData(options, ({ operations }) => act(operations, email, options), name === 'add')
  if (options.json) return printAs(`user ${name}`, printed(user))
  for (const line of messages(quoted(email), user)) printHint(line)
}

interface ListOptions extends DataOptions {
  readonly after: string
  readonly limit: string
}

const MAX_LISTED = 1_000

function listCommand(): Command {
  return new Command('list')
    .description('list users by email, one page at a time')
    .option('--after <email>', 'begin after this email', '')
    .option('--limit <number>', `how many, at most ${MAX_LISTED}`, '100')
    .option(...DATA_FLAG)
    .option('--json', 'print {"users":[…],"nextAfter"}')
    .action(list)
}

async function list(options: ListOptions): Promise<void> {
  const limit = Number(options.limit)
  if (!/^\d+$/.test(options.limit) || limit < 1 || limit > MAX_LISTED) {
    throw new UsageError(
      `--limit must be a number from 1 to ${MAX_LISTED}, got ${JSON.stringify(options.limit)}.`,
      'Request fewer, and get the next page with --after.',
    )
  }
  const { users, nextAfter } = await withData(options, ({ operations }) =>
    operations.users.list(options.after, limit),
  )
  if (options.json)
    return printAs('user list', {
      users: users.map(printed),
      ...(nextAfter !== undefined && { nextAfter }),
    })
  if (users.length === 0) return printHint('There are no users. Next: bridgekeeper user add EMAIL')
  printList([
    ['USER', 'EMAIL', 'ROLE', 'STATE', 'CREATED'],
    ...users.map(({ userId, email, role = 'user', state, createdAtMs }) =>
      [userId, email, role, state, iso(createdAtMs)].map(forTerminal),
    ),
  ])
  if (nextAfter !== undefined)
    printHint(`Next page: bridgekeeper user list --after ${quoted(forTerminal(nextAfter))}`)
}

function printed({ userId, email, role = 'user', state, createdAtMs }: User): Printed<'user add'> {
  return { userId, email, role, state, createdAt: iso(createdAtMs) }
}

/** Checks the password before it adds the user, so that a refused one leaves no user behind. */
async function addUser({ users, passwords }: Operations, email: string, options: Options): Promise<ActedOn> {
  const check = (typed: string): void => passwords.check(email, typed)
  const password = await newPassword(options, check, 'Password (empty for none):')
  const user = await users.add(email, OPERATOR)
  if (password !== undefined) await passwords.set(user, password, OPERATOR)
  const added = options.admin === true ? await users.setRole(user, 'admin', OPERATOR) : user
  return { ...added, hasPassword: password !== undefined }
}
