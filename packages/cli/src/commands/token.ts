import { OPERATOR } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { lifetimeMs } from '../lifetime-setting.ts'
import { iso } from '../moment.ts'
import { forTerminal, printAs, printHint, printLine, printList, printTable } from '../output.ts'
import { scopes } from '../settings.ts'
import { DATA_FLAG, type DataOptions, withData } from '../with-data.ts'

interface IssueOptions extends DataOptions {
  readonly ttl: string
  readonly scope?: string
}

/** `bridgekeeper token issue EMAIL` and `token list [EMAIL]`. */
export function tokenCommand(): Command {
  const issueCommand = new Command('issue')
    .description('issue an access token, for an agent or for a caller')
    .argument('<email>')
    .option('--ttl <time>', 'how long it is valid: 15m, 12h, 30d', '12h')
    .option(
      '--scope <scopes>',
      'what it allows, such as "agent:connect tools:call:memory/*" (default: everything)',
    )
    .option(...DATA_FLAG)
    .option('--json', 'print {"accessToken","sessionId","userId","expiresAt"}')
    .action(issue)
  const listCommand = new Command('list')
    .description('list issued tokens that have not ended, of one user or of all; never the tokens themselves')
    .argument('[email]')
    .option(...DATA_FLAG)
    .option('--json', 'print [{"sessionId","userId","email","scopes","createdAt","lastSeenAt","expiresAt"}]')
    .action(list)
  return new Command('token').description('access tokens').addCommand(issueCommand).addCommand(listCommand)
}

async function issue(email: string, options: IssueOptions): Promise<void> {
  const ttlMs = lifetimeMs(options.ttl)
  const issued = await withData(options, async ({ operations: { users, tokens } }) =>
    tokens.issue(await users.find(email), ttlMs, scopes(options.scope), OPERATOR),
  )
  if (options.json) return printAs('token issue', issued)
  printTable([
    ['token', issued.accessToken],
    ['user', issued.userId],
    ['session', issued.sessionId],
    ['expires', issued.expiresAt],
    ['scope', options.scope ?? 'everything'],
  ])
  printLine(
    'Next: give it to the agent or the caller as BRIDGEKEEPER_TOKEN. Anyone who has it can act as this user.',
  )
}

async function list(email: string | undefined, options: DataOptions): Promise<void> {
  const found = await withData(options, ({ operations }) => operations.tokens.list(email))
  const printed = found.map((session) => ({
    sessionId: session.sessionId,
    userId: session.userId,
    email: session.email,
    scopes: [...session.scopes],
    createdAt: iso(session.createdAtMs),
    lastSeenAt: iso(session.seenAtMs),
    expiresAt: iso(session.expiresAtMs),
  }))
  if (options.json) return printAs('token list', printed)
  if (printed.length === 0) return printLine('There are no issued tokens.')
  const rows = printed.map((token) => [
    token.sessionId,
    token.email,
    token.createdAt,
    token.lastSeenAt,
    token.expiresAt,
    token.scopes.join(' '),
  ])
  const header = ['SESSION', 'USER', 'CREATED', 'LAST SEEN', 'EXPIRES', 'SCOPES']
  printList([header, ...rows.map((row) => row.map(forTerminal))])
  printLine()
  printHint('Next: bridgekeeper revoke session ID')
}
