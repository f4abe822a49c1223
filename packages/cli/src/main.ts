import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { auditCommand } from './commands/audit.ts'
import { blockCommand } from './commands/block.ts'
import { callCommand } from './commands/call.ts'
import { connectCommand } from './commands/connect.ts'
import { deviceCommand } from './commands/device.ts'
import { serveCommand } from './commands/serve.ts'
import { tokenCommand } from './commands/token.ts'
import { toolsCommand } from './commands/tools.ts'
import { userCommand } from './commands/user.ts'
import { reportFailure } from './output.ts'

const program = new Command('bridgekeeper')
  .description('Use the MCP servers of your own machine from anywhere: a bridge, its agent, and a caller.')
  .version(manifest.version)
  .showHelpAfterError('(bridgekeeper --help lists the commands)')
  .addCommand(serveCommand())
  .addCommand(connectCommand())
  .addCommand(deviceCommand())
  .addCommand(userCommand())
  .addCommand(tokenCommand())
  .addCommand(blockCommand())
  .addCommand(toolsCommand())
  .addCommand(callCommand())
  .addCommand(auditCommand())

try {
  await program.parseAsync()
} catch (error) {
  reportFailure(error, process.argv.includes('--json'))
  process.exitCode = 1
}
