import { Command, CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { hint, programName } from './hints.ts'
import { reportFailure } from './output.ts'
import { guardOutput } from './stdout.ts'
import { isHelp, reportUsage, usageError } from './usage.ts'
import { UsageError } from './usage-error.ts'

const EXAMPLES = `
A bridge on this machine, and this machine connected to it:
  bridgekeeper serve
  bridgekeeper user add ann@example.com
  bridgekeeper connect http://127.0.0.1:8787 --config mcp.json

Exit codes: 0 done, 1 failed, 2 address missing, 3 an agent runs already,
130 stopped by Ctrl-C before it was done.`

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
  sessions: async () => (await import('./commands/sessions.ts')).sessionsCommand(),
  devices: async () => (await import('./commands/devices.ts')).devicesCommand(),
  revoke: async () => (await import('./commands/revoke.ts')).revokeCommand(),
  block: async () => (await import('./commands/block.ts')).blockCommand(),
  tools: async () => (await import('./commands/tools.ts')).toolsCommand(),
  call: async () => (await import('./commands/call.ts')).callCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  version: async () => (await import('./commands/version.ts')).versionCommand(),
  audit: async () => (await import('./commands/audit.ts')).auditCommand(),
}

const program = new Command(programName())
  .description('Use the MCP servers of your own machine from anywhere: a bridge, its agent, and a caller.')
  .version(manifest.version)
  .addHelpText('after', () => hint(EXAMPLES))

guardOutput()
try {
  const [asked = ''] = process.argv.slice(2)
  const names = Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS)
  for (const name of names) {
    const command = await COMMANDS[name]?.()
    if (command !== undefined) program.addCommand(command)
  }
  reportUsage(program)
  await program.parseAsync()
} catch (error) {
  if (isHelp(error)) process.exitCode = error.exitCode
  else {
    const failure =
      error instanceof CommanderError ? usageError(error, program, process.argv.slice(2)) : error
    reportFailure(failure, process.argv.includes('--json'))
    process.exitCode = failure instanceof UsageError ? failure.exitCode : 1
  }
}
