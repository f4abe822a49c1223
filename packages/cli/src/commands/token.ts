import { type IssuedToken, realSystem } from '@bridgekeeper/bridge'
import { DataFolder, OPERATOR } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { lifetimeMs } from '../lifetime-setting.ts'
import { printJson, printLine, printTable } from '../output.ts'
import { dataFolder, scopes } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly ttl: string
  readonly scope?: string
  readonly json?: boolean
}

/** `bridgekeeper token issue EMAIL`. */
export function tokenCommand(): Command {
  const issue = new Command('issue')
    .description('issue an access token, for an agent or for a caller')
    .argument('<email>')
    .option('--ttl <time>', 'how long it is valid: 15m, 12h, 30d', '12h')
    .option(
      '--scope <scopes>',
      'what it allows, such as "agent:connect tools:call:memory/*" (default: everything)',
    )
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print {"accessToken","sessionId","userId","expiresAt"}')
    .action(async (email: string, options: Options) => {
      const data = await DataFolder.open(dataFolder(options.data), process.env, realSystem())
      try {
        const issued = await issueToken(data, email, options)
        if (options.json) return printJson(issued)
        printTable([
          ['token', issued.accessToken],
          ['user', issued.userId],
          ['session', issued.sessionId],
          ['expires', issued.expiresAt],
          ['scope', options.scope ?? 'everything'],
        ])
        printLine(
          'Next: give it to the agent or the caller as BRIDGEKEEPER_TOKEN. Whoever has it acts as this user.',
        )
      } finally {
        await data.close()
      }
    })
  return new Command('token').description('access tokens').addCommand(issue)
}

async function issueToken(
  { operations: { users, tokens } }: DataFolder,
  email: string,
  { ttl, scope }: Options,
): Promise<IssuedToken> {
  const lifetime = lifetimeMs(ttl)
  return tokens.issue(await users.find(email), lifetime, scopes(scope), OPERATOR)
}
