import { homedir } from 'node:os'
import { type AgentEvent, createAgent, readConfig } from '@bridgekeeper/agent'
import { readAll, type SettingSource } from '@bridgekeeper/standalone/settings'
import { Command } from 'commander'
import { printEvent, printEventJson } from '../agent-events.ts'
import { foundConfigFiles } from '../config-files.ts'
import { demandVerifiedTls, deviceLogin } from '../enrolment.ts'
import { endSignal } from '../lifetime.ts'
import { demandToken } from '../settings/caller-table.ts'
import { CONNECT, KEYCHAIN } from '../settings/connect-table.ts'
import { addSettings } from '../settings/flags.ts'
import { UsageError } from '../usage-error.ts'

interface Output {
  readonly verbose?: boolean
  readonly json?: boolean
}

/** `bridgekeeper connect URL`: runs the agent until it is stopped. */
export function connectCommand(): Command {
  const command = new Command('connect').description(
    "connect this machine's MCP servers to a bridge; the first time, approve it in a browser",
  )
  return addSettings(command, CONNECT, KEYCHAIN)
    .option('--verbose', "show each call and the servers' own output")
    .option('--json', 'print events as JSON lines')
    .action((url: string | undefined, options: Output & SettingSource['flags']) =>
      run({ flags: { ...options, url }, env: process.env }, options),
    )
}

async function run(source: SettingSource, { verbose = false, json = false }: Output): Promise<void> {
  const { url, config, token, startTimeoutMs, ...enrolment } = readAll(CONNECT, source)
  if (url === undefined) throw urlMissing()
  demandVerifiedTls(process.env)
  const end = endSignal()
  const onEvent = (event: AgentEvent): void => (json ? printEventJson(event) : printEvent(event, verbose))
  // A file that cannot be used is reported before the user is sent to a browser.
  const servers = await readConfig(config, process.env)
  const { allowInsecure } = enrolment
  const startMs = startTimeoutMs
  const common = { url, servers, onEvent, allowInsecure, ...(startMs !== undefined && { startMs }) }
  if (token !== undefined) return createAgent({ ...common, token: () => demandToken(source) }).run(end)
  try {
    const login = await deviceLogin(url, { ...enrolment, opensBrowser: !json }, onEvent, end)
    const device = () => login.identity()
    await createAgent({ ...common, device, token: (spent) => login.token(spent) }).run(end)
  } catch (error) {
    // Stopped before the user approved: the next start continues from here.
    if (!end.aborted) throw error
  }
}

/** [CLI.25] Explains how to get an address, and which config files of clients are on this machine. */
function urlMissing(): UsageError {
  const { env, platform } = process
  const found = foundConfigFiles({ env, platform, home: homedir(), folder: process.cwd() })
  const files =
    found.length === 0
      ? 'No config file of an MCP client was found on this machine; --config FILE names one.'
      : `Config files of MCP clients on this machine: ${found.join(', ')}.`
  const [config = 'mcp.json'] = found
  return new UsageError(
    `The address of the bridge is missing. Ask its operator: bridgekeeper serve prints it. ${files}`,
    `For example: bridgekeeper connect https://bridge.example.com --config ${JSON.stringify(config)}`,
    'url_missing',
  )
}
