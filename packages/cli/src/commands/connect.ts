import { homedir } from 'node:os'
import {
  type AgentEvent,
  type AgentOptions,
  bridgeAddress,
  ConfigFile,
  createAgent,
  realSystem,
  TokenUnavailable,
} from '@bridgekeeper/agent'
import { readAll, type SettingSource, SetupError } from '@bridgekeeper/standalone/settings'
import { Command } from 'commander'
import { printEvent, printEventJson, printOverview } from '../agent-events.ts'
import { foundConfigFiles } from '../config-files.ts'
import { demandVerifiedTls, deviceLogin } from '../enrolment.ts'
import { repeatInHints } from '../hints.ts'
import { quoted } from '../invocation.ts'
import { CTRL_C, endSignal } from '../lifetime.ts'
import { overviewer } from '../overview.ts'
import { runAlone } from '../run-alone.ts'
import { demandToken } from '../settings/caller-table.ts'
import { CONNECT, KEYCHAIN, keychain } from '../settings/connect-table.ts'
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

async function run(source: SettingSource, output: Output): Promise<void> {
  const {
    url,
    config,
    token,
    startTimeoutMs: startMs,
    allowInsecure,
    ...enrolment
  } = readAll(CONNECT, source)
  if (url === undefined) throw urlMissing()
  demandVerifiedTls(process.env)
  const bridge = bridgeAddress(url, allowInsecure)
  repeatInHints({ url: bridge, ...(config !== CONNECT.config.default && { config }) })
  const end = endSignal()
  // A file that cannot be used is reported before the user is sent to a browser.
  const file = new ConfigFile(config, process.env)
  const servers = await file.read()
  const onEvent = eventPrinter(
    bridge,
    servers.map(({ name }) => name),
    output,
  )
  const common = { url, servers, onEvent, allowInsecure, ...(startMs !== undefined && { startMs }) }
  if (token !== undefined) {
    // The agent retries a token that it cannot get; one that is wrong from the start ends the command.
    demandToken(source)
    return runAgent({ ...common, token: () => tokenNow(source) }, file, end)
  }
  const keys = keychain(process.env)
  const release = await runAlone(keys, bridge, config)
  try {
    const settings = { ...enrolment, opensBrowser: output.json !== true }
    const login = await deviceLogin(bridge, keys, settings, onEvent, end).catch((error: unknown) => {
      if (!end.aborted) throw error
      if (end.reason === CTRL_C) throw stopped()
    })
    if (login === undefined) return
    const device = () => login.identity()
    const sessionFile = keys.sessionFile(bridge)
    const token = (spent?: string) => login.token(spent)
    await runAgent({ ...common, device, sessionFile, token }, file, end)
  } finally {
    release()
  }
}

/** Runs the agent, with each usable version of its config file. */
async function runAgent(
  options: AgentOptions & Required<Pick<AgentOptions, 'onEvent'>>,
  file: ConfigFile,
  end: AbortSignal,
): Promise<void> {
  const agent = createAgent(options)
  const endWatch = file.watch({
    system: realSystem,
    onServers: (servers) => agent.setServers(servers),
    onUnread: ({ code, message: reason, next }) =>
      options.onEvent({ type: 'config-unread', code, reason, next }),
  })
  try {
    await agent.run(end)
  } finally {
    endWatch()
  }
}

/** Reads the token for an attempt. @throws TokenUnavailable with a message that names the setting */
function tokenNow(source: SettingSource): string {
  try {
    return demandToken(source)
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof SetupError)
      throw new TokenUnavailable(cause.message, { cause })
    throw cause
  }
}

function eventPrinter(bridge: string, servers: readonly string[], { verbose = false, json = false }: Output) {
  const overview = overviewer(bridge, servers)
  return (event: AgentEvent): void => {
    if (json) printEventJson(event)
    else printEvent(event, verbose)
    const shown = overview(event)
    if (shown !== undefined) (json ? printEventJson : printOverview)(shown)
  }
}

/** The next start continues where this one was stopped. */
function stopped(): UsageError {
  return new UsageError(
    'Stopped before this machine was enrolled.',
    'To continue with the same code: bridgekeeper connect URL',
    'interrupted',
  )
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
    `For example: bridgekeeper connect https://bridge.example.com --config ${quoted(config)}`,
    'url_missing',
  )
}
