import { DataFolder, realSystem } from '@bridgekeeper/server'
import { Command } from 'commander'
import { printJson, printLine } from '../output.ts'
import { dataFolder } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly json?: boolean
}

/** `bridgekeeper user add EMAIL`. */
export function userCommand(): Command {
  const add = new Command('add')
    .description('add a user')
    .argument('<email>')
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print {"userId"}')
    .action(async (email: string, options: Options) => {
      const data = new DataFolder(dataFolder(options.data), process.env, realSystem())
      try {
        const { userId } = await data.addUser(email)
        if (options.json) return printJson({ userId })
        printLine(`Added ${email} as ${userId}.`)
        printLine(`Next: bridgekeeper token issue ${email}`)
      } finally {
        data.close()
      }
    })
  return new Command('user').description("the bridge's users").addCommand(add)
}
