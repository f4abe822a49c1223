import { DataFolder, realSystem, type User } from '@bridgekeeper/server'
import { Command } from 'commander'
import { printJson, printLine } from '../output.ts'
import { dataFolder } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly json?: boolean
}

/** What one subcommand does with the user of this email, and says of it. */
interface Action {
  readonly name: string
  readonly description: string
  act(data: DataFolder, email: string): Promise<User>
  told(email: string, user: User): readonly string[]
}

/** How long a running bridge may go on with what it knew. */
const TAKES_EFFECT = 'A running bridge takes this up within five seconds.'

const ACTIONS: readonly Action[] = [
  {
    name: 'add',
    description: 'add a user',
    act: (data, email) => data.addUser(email),
    told: (email, { userId }) => [`Added ${email} as ${userId}.`, `Next: bridgekeeper token issue ${email}`],
  },
  {
    name: 'suspend',
    description: "refuse the user's tokens until the user is resumed",
    act: (data, email) => data.setUserState(email, 'suspended'),
    told: (email) => [`Suspended ${email}. ${TAKES_EFFECT}`, `To undo: bridgekeeper user resume ${email}`],
  },
  {
    name: 'resume',
    description: 'take the tokens of a suspended user again',
    act: (data, email) => data.setUserState(email, 'active'),
    told: (email) => [`Resumed ${email}. ${TAKES_EFFECT}`],
  },
  {
    name: 'logout',
    description: 'end all tokens of the user',
    act: (data, email) => data.logOutUser(email),
    told: (email) => [
      `Ended all tokens of ${email}. ${TAKES_EFFECT}`,
      `Next: bridgekeeper token issue ${email}`,
    ],
  },
]

/** `bridgekeeper user add|suspend|resume|logout EMAIL`. */
export function userCommand(): Command {
  const user = new Command('user').description("the bridge's users")
  for (const action of ACTIONS) user.addCommand(subcommand(action))
  return user
}

function subcommand({ name, description, act, told }: Action): Command {
  return new Command(name)
    .description(description)
    .argument('<email>')
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print {"userId"}')
    .action(async (email: string, options: Options) => {
      const data = await DataFolder.open(dataFolder(options.data), process.env, realSystem())
      try {
        const user = await act(data, email)
        if (options.json) return printJson({ userId: user.userId })
        for (const line of told(email, user)) printLine(line)
      } finally {
        await data.close()
      }
    })
}
