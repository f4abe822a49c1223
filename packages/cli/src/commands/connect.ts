import { type AgentEvent, createAgent, readConfig } from '@bridgekeeper/agent'
import { Command } from 'commander'
import { printEvent, printEventJson } from '../agent-events.ts'
import { demandVerifiedTls, deviceLogin, type EnrolmentFlags } from '../enrolment.ts'
import { endSignal } from '../lifetime.ts'
import { givenToken, token } from '../settings.ts'
import { startTimeoutMs } from '../start-timeout.ts'

interface Options extends EnrolmentFlags {
  readonly config: string
  readonly token?: string
  readonly verbose?: boolean
  readonly startTimeout?: string
}

/** `bridgekeeper connect URL`: the agent, until it is told to stop. */
export function connectCommand(): Command {
  return new Command('connect')
    .description("connect this machine's MCP servers to a bridge; the first time, approve it in a browser")
    .argument('<url>', 'the bridge, e.g. https://bridge.example.com')
    .option('--config <file>', 'mcpServers file', process.env.BRIDGEKEEPER_CONFIG ?? '.mcp.json')
    .option('--device-name <name>', "what this machine is called there (default: the system's name for it)")
    .option('--enrol-again', 'forget what is kept of this bridge, and enrol anew')
    .option(
      '--token <token>',
      'use this access token instead; BRIDGEKEEPER_TOKEN keeps it out of the process list',
    )
    .option(
      '--start-timeout <seconds>',
      'how long a server may take to start, unless its entry says so (default: 120; 600 for npx, uvx, docker and the like)',
    )
    .option('--allow-insecure', 'allow ws:// to another machine')
    .option('--verbose', "show each call and the servers' own output")
    .option('--json', 'print events as JSON lines')
    .action(run)
}

async function run(url: string, options: Options): Promise<void> {
  demandVerifiedTls(process.env)
  const end = endSignal()
  const onEvent = (event: AgentEvent): void =>
    options.json ? printEventJson(event) : printEvent(event, options.verbose ?? false)
  // A file that cannot be used is told before the user is sent to a browser.
  const servers = await readConfig(options.config, process.env)
  const startMs = startTimeoutMs(options.startTimeout)
  const allowInsecure = options.allowInsecure ?? false
  const common = { url, servers, onEvent, allowInsecure, ...(startMs !== undefined && { startMs }) }
  if (givenToken(options.token) !== undefined)
    return createAgent({ ...common, token: () => token(options.token) }).run(end)
  try {
    const login = await deviceLogin(url, options, onEvent, end)
    const device = () => login.identity()
    await createAgent({ ...common, device, token: (spent) => login.token(spent) }).run(end)
  } catch (error) {
    // Told to stop while the user was asked: the next time goes on from here.
    if (!end.aborted) throw error
  }
}
