import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  AgentError,
  type AgentEvent,
  createAgent,
  DeviceLogin,
  ensureEnrolled,
  Keychain,
  readConfig,
  realSystem as realAgentSystem,
} from '@bridgekeeper/agent'
import { realSystem } from '@bridgekeeper/bridge'
import { type Node, OPERATOR, serve, serveSettings } from '@bridgekeeper/standalone'
import {
  endSignal,
  guardOutput,
  lifetimeMs,
  printEvent,
  printLine,
  reportFailure,
} from 'bridgekeeper/testing'
import { approveMachine } from './demo-user.ts'

/**
 * `npm start`: a bridge with embedded state, and an agent beside it with three sample servers. What
 * crosses between them is what would cross the internet: the agent enrols as a machine of the demo's user and
 * dials out to the bridge's port.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = resolve(process.env.BRIDGEKEEPER_DATA ?? join(root, '.bridgekeeper'))
const USER = 'demo@example.com'
const MACHINE = 'Demo machine'
const TOKEN_LIFETIME = '7d'
const SHOWN_CHECK_MS = 20
/** Refusals of a machine that its user has removed. */
const REMOVED: ReadonlySet<string> = new Set(['device_unknown', 'login_revoked'])

guardOutput()
try {
  await demo()
} catch (error) {
  reportFailure(isRemoval(error) ? removed(error) : error, false)
  process.exitCode = 1
}

async function demo(): Promise<void> {
  const end = endSignal()
  const node = await serve({
    settings: serveSettings({ flags: { data: folder }, env: process.env }),
    env: process.env,
    system: realSystem(),
  })
  try {
    await runAgent(node, await demoUser(node), end)
  } finally {
    await node.close()
  }
}

interface DemoUser {
  readonly userId: string
  /** For the pages of the bridge; another at each start. */
  readonly password: string
  /** For callers. */
  readonly token: string
}

async function demoUser(node: Node): Promise<DemoUser> {
  const { users, tokens, passwords } = node.data.operations
  if ((await node.data.users.findByEmail(USER)) === undefined) await users.add(USER, OPERATOR)
  const user = await users.find(USER)
  const password = randomBytes(12).toString('base64url')
  await passwords.set(user, password, OPERATOR)
  const { accessToken } = await tokens.issue(user, lifetimeMs(TOKEN_LIFETIME), undefined, OPERATOR)
  return { userId: user.userId, password, token: accessToken }
}

async function runAgent(node: Node, user: DemoUser, end: AbortSignal): Promise<void> {
  const servers = await readConfig(sampleConfig(), process.env)
  const starting = new Set(servers.map(({ name }) => name))
  const ready = new Set<string>()
  const login = await enrolledLogin(node, user, end)
  if (login === undefined) return
  const agent = createAgent({
    url: node.url,
    token: (spent) => login.token(spent),
    device: () => login.identity(),
    servers,
    onEvent(event) {
      printEvent(event, false)
      if (event.type !== 'server-ready' && event.type !== 'server-failed') return
      if (event.type === 'server-ready' && event.tools > 0) ready.add(event.name)
      if (!starting.delete(event.name) || starting.size > 0) return
      whenShown(node, user.userId, ready, () => welcome(node, user))
    },
  })
  await agent.run(end)
}

/**
 * Enrols this machine with keys in the demo's folder, and approves it as its user would in a browser.
 * @returns `undefined` if the signal aborts
 */
async function enrolledLogin(node: Node, user: DemoUser, end: AbortSignal): Promise<DeviceLogin | undefined> {
  const system = realAgentSystem
  const keychain = new Keychain({ home: join(folder, 'machine'), keyStore: 'file', system })
  const onEvent = (event: AgentEvent): void | Promise<void> => {
    if (event.type !== 'enrolment-waiting') return printEvent(event, false)
    const { verificationUri, verificationUriComplete: page = verificationUri, keyWords } = event
    printLine(`enrolling this machine: the demo approves it as ${USER} at ${verificationUri}`)
    return approveMachine({ url: node.url, email: USER, password: user.password, page, keyWords })
  }
  const login = new DeviceLogin(keychain, node.url, system, end)
  const options = { bridge: node.url, name: MACHINE }
  try {
    await ensureEnrolled({ keychain, system, onEvent }, options, end)
    await login.token().catch(async (error: unknown) => {
      if (!isRemoval(error)) throw error
      await ensureEnrolled({ keychain, system, onEvent }, { ...options, again: true }, end)
    })
    return login
  } catch (error) {
    if (end.aborted) return undefined
    throw error
  }
}

function isRemoval(error: unknown): error is AgentError {
  return error instanceof AgentError && REMOVED.has(error.code)
}

function removed({ code }: AgentError): Error {
  const next = 'Start the demo again, which enrols it again: npm start'
  return Object.assign(new Error('The machine of this demo was removed.'), { code, next })
}

/** Calls back once the bridge lists the agent's servers. */
function whenShown(node: Node, userId: string, servers: ReadonlySet<string>, run: () => void): void {
  const timer = setInterval(() => {
    const shown = new Set(node.bridge.listTools(userId).map(({ server }) => server))
    if (![...servers].every((name) => shown.has(name))) return
    clearInterval(timer)
    run()
  }, SHOWN_CHECK_MS).unref()
}

/** Written once; after that it is the user's to edit. */
function sampleConfig(): string {
  const path = join(folder, 'mcp.json')
  if (existsSync(path)) return path
  const scratch = join(folder, 'scratch')
  mkdirSync(scratch, { recursive: true })
  writeFileSync(join(scratch, 'hello.txt'), 'Hello from the machine behind the bridge.\n')
  const sample = (name: string, ...args: string[]) => ({
    command: process.execPath,
    args: [join(root, 'node_modules/@modelcontextprotocol', `server-${name}`, 'dist/index.js'), ...args],
  })
  const mcpServers = {
    everything: sample('everything'),
    filesystem: sample('filesystem', scratch),
    memory: { ...sample('memory'), env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') } },
  }
  writeFileSync(path, `${JSON.stringify({ mcpServers }, null, 2)}\n`)
  return path
}

function welcome({ url }: Node, { token, password }: DemoUser): void {
  printLine()
  printLine('Bridgekeeper runs. Any MCP client can now use the tools of this machine:')
  printLine()
  printLine(`  MCP URL  ${url}/mcp          (all servers; one alone: ${url}/mcp/everything)`)
  printLine(`  Token    ${token}`)
  printLine(`  Account  ${url}/account      (${USER}, password ${password})`)
  printLine()
  printLine('A first call, to paste into another terminal in this folder:')
  printLine()
  printLine(
    `  BRIDGEKEEPER_URL=${url} BRIDGEKEEPER_TOKEN=${token} npx bridgekeeper call everything echo '{"message":"hello"}'`,
  )
  printLine()
  printLine(`The servers are those of ${join(folder, 'mcp.json')}. Ctrl-C stops everything.`)
}
