import { OPERATOR, type Operations } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { printAs, printLine } from '../output.ts'
import { DATA_FLAG, type DataOptions, withData } from '../with-data.ts'

/** A subcommand and what it ends. */
interface Kind {
  readonly name: 'user' | 'session' | 'device'
  readonly argument: string
  readonly description: string
  readonly json: string
  revoke(operations: Operations, target: string): Promise<{ readonly userId: string }>
  print(userId: string, target: string): void
  message(target: string): string
}

const KINDS: readonly Kind[] = [
  {
    name: 'user',
    argument: '<email>',
    description: "end all of a user's logins, and revoke all of the user's machines",
    json: '{"userId"}',
    revoke: async ({ revocations, users }, email) =>
      revocations.revokeUser(await users.find(email), OPERATOR),
    print: (userId) => printAs('revoke user', { userId }),
    message: (email) => `Ended all logins and machines of ${email}.`,
  },
  {
    name: 'session',
    argument: '<id>',
    description: 'end one login: bridgekeeper sessions lists them',
    json: '{"userId","sessionId"}',
    revoke: async ({ sessions }, id) => sessions.end(await sessions.find(id), OPERATOR),
    print: (userId, sessionId) => printAs('revoke session', { userId, sessionId }),
    message: (id) => `Ended the login ${id}.`,
  },
  {
    name: 'device',
    argument: '<id>',
    description: 'revoke one machine, whose key is never enrolled again: bridgekeeper devices lists them',
    json: '{"userId","deviceId"}',
    revoke: async ({ devices }, id) => devices.revoke(await devices.find(id), OPERATOR),
    print: (userId, deviceId) => printAs('revoke device', { userId, deviceId }),
    message: (id) => `Revoked the machine ${id}.`,
  },
]

/** `bridgekeeper revoke user EMAIL | session ID | device ID`. Running nodes follow within a second. */
export function revokeCommand(): Command {
  const revoke = new Command('revoke').description('end logins and machines at once, with all they have open')
  for (const kind of KINDS) revoke.addCommand(subcommand(kind))
  return revoke
}

function subcommand({ name, argument, description, json, revoke, print, message }: Kind): Command {
  return new Command(name)
    .description(description)
    .argument(argument)
    .option(...DATA_FLAG)
    .option('--json', `print ${json}`)
    .action(async (target: string, options: DataOptions) => {
      const { userId } = await withData(options, ({ operations }) => revoke(operations, target))
      if (options.json) return print(userId, target)
      printLine(`${message(target)} Running bridges close its connections within a second.`)
    })
}
