import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder, OPERATOR, type Operations } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { printJson, printLine } from '../output.ts'
import { dataFolder } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly json?: boolean
}

/** What one subcommand ends. */
interface Kind {
  readonly name: 'user' | 'session' | 'device'
  readonly argument: string
  readonly description: string
  revoke(operations: Operations, what: string): Promise<{ readonly userId: string }>
  told(what: string): string
}

const KINDS: readonly Kind[] = [
  {
    name: 'user',
    argument: '<email>',
    description: "end all of a user's logins, and revoke all of the user's machines",
    revoke: async ({ revocations, users }, email) =>
      revocations.revokeUser(await users.find(email), OPERATOR),
    told: (email) => `Ended all logins and machines of ${email}.`,
  },
  {
    name: 'session',
    argument: '<id>',
    description: 'end one login: bridgekeeper sessions lists them',
    revoke: async ({ sessions }, id) => sessions.end(await sessions.find(id), OPERATOR),
    told: (id) => `Ended the login ${id}.`,
  },
  {
    name: 'device',
    argument: '<id>',
    description: 'revoke one machine, whose key is never enrolled again: bridgekeeper devices lists them',
    revoke: async ({ devices }, id) => devices.revoke(await devices.find(id), OPERATOR),
    told: (id) => `Revoked the machine ${id}.`,
  },
]

/** `bridgekeeper revoke user EMAIL | session ID | device ID`. Running nodes follow within a second. */
export function revokeCommand(): Command {
  const revoke = new Command('revoke').description('end logins and machines at once, with all they have open')
  for (const kind of KINDS) revoke.addCommand(subcommand(kind))
  return revoke
}

function subcommand({ name, argument, description, revoke, told }: Kind): Command {
  return new Command(name)
    .description(description)
    .argument(argument)
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print {"kind","id","userId"}')
    .action(async (what: string, options: Options) => {
      const data = await DataFolder.open(dataFolder(options.data), process.env, realSystem())
      try {
        const { userId } = await revoke(data.operations, what)
        if (options.json) return printJson({ kind: name, id: name === 'user' ? userId : what, userId })
        printLine(`${told(what)} Running bridges close what is open of it within a second.`)
      } finally {
        await data.close()
      }
    })
}
