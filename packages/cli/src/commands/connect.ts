import { createAgent, readConfig } from '@bridgekeeper/agent'
import { Command } from 'commander'
import { printEvent } from '../agent-events.ts'
import { endSignal } from '../lifetime.ts'
import { printJson } from '../output.ts'
import { token } from '../settings.ts'

interface Options {
  readonly config: string
  readonly token?: string
  readonly allowInsecure?: boolean
  readonly verbose?: boolean
  readonly json?: boolean
}

/** `bridgekeeper connect URL`: the agent, until it is told to stop. */
export function connectCommand(): Command {
  return new Command('connect')
    .description("connect this machine's MCP servers to a bridge")
    .argument('<url>', 'the bridge, e.g. https://bridge.example.com')
    .option('--config <file>', 'mcpServers file', process.env.BRIDGEKEEPER_CONFIG ?? '.mcp.json')
    .option('--token <token>', 'access token; BRIDGEKEEPER_TOKEN keeps it out of the process list')
    .option('--allow-insecure', 'allow ws:// to another machine')
    .option('--verbose', "show each call and the servers' own output")
    .option('--json', 'print events as JSON lines')
    .action(run)
}

async function run(url: string, options: Options): Promise<void> {
  const end = endSignal()
  const agent = createAgent({
    url,
    token: () => token(options.token),
    servers: await readConfig(options.config, process.env),
    allowInsecure: options.allowInsecure ?? false,
    onEvent: (event) => (options.json ? printJson(event) : printEvent(event, options.verbose ?? false)),
  })
  // The agent asks for it at each attempt, and tries again without one; at the start that is a mistake.
  token(options.token)
  await agent.run(end)
}
