import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { reportFailure } from './output.ts'
import { guardOutput } from './stdout.ts'
import { UsageError } from './usage-error.ts'

/**
 * Loads each command on first use. Loading the bridge takes most of a command's start time, and an agent does
 * not need it.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand(),
  connect: async () => (await import('./commands/connect.ts')).connectCommand(),
  device: async () => (await import('./commands/device.ts')).deviceCommand(),
  user: async () => (await import('./commands/user.ts')).userCommand(),
  token: async () => (await import('./commands/token.ts')).tokenCommand(),
  sessions: async () => (await import('./commands/logins.ts')).sessionsCommand(),
  devices: async () => (await import('./commands/logins.ts')).devicesCommand(),
  revoke: async () => (await import('./commands/revoke.ts')).revokeCommand(),
  block: async () => (await import('./commands/block.ts')).blockCommand(),
  tools: async () => (await import('./commands/tools.ts')).toolsCommand(),
  call: async () => (await import('./commands/call.ts')).callCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  version: async () => (await import('./commands/version.ts')).versionCommand(),
  audit: async () => (await import('./commands/audit.ts')).auditCommand(),
}

const program = new Command('bridgekeeper')
  .description('Use the MCP servers of your own machine from anywhere: a bridge, its agent, and a caller.')
  .version(manifest.version)
  .showHelpAfterError('(bridgekeeper --help lists the commands)')

guardOutput()
try {
  const [asked = ''] = process.argv.slice(2)
  const names = Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS)
  for (const name of names) {
    const command = await COMMANDS[name]?.()
    if (command !== undefined) program.addCommand(command)
  }
  await program.parseAsync()
} catch (error) {
  reportFailure(error, process.argv.includes('--json'))
  process.exitCode = error instanceof UsageError ? error.exitCode : 1
}
