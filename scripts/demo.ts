import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAgent, readConfig } from '@bridgekeeper/agent'
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

/**
 * `npm start`: a bridge with embedded state, and an agent beside it with three sample servers. What
 * crosses between them is what would cross the internet: the agent dials out to the bridge's port.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = resolve(process.env.BRIDGEKEEPER_DATA ?? join(root, '.bridgekeeper'))
const USER = 'demo@example.com'
const TOKEN_LIFETIME = '7d'
const SHOWN_CHECK_MS = 20

guardOutput()
try {
  await demo()
} catch (error) {
  reportFailure(error, false)
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
    await runAgent(node, end)
  } finally {
    await node.close()
  }
}

async function runAgent(node: Node, end: AbortSignal): Promise<void> {
  const { users, tokens } = node.data.operations
  if ((await node.data.users.findByEmail(USER)) === undefined) await users.add(USER, OPERATOR)
  const user = await users.find(USER)
  const issue = () => tokens.issue(user, lifetimeMs(TOKEN_LIFETIME), undefined, OPERATOR)
  const [forAgent, forCaller] = [await issue(), await issue()]
  const servers = await readConfig(sampleConfig(), process.env)
  const starting = new Set(servers.map(({ name }) => name))
  const ready = new Set<string>()
  const agent = createAgent({
    url: node.url,
    token: () => forAgent.accessToken,
    servers,
    onEvent(event) {
      printEvent(event, false)
      if (event.type !== 'server-ready' && event.type !== 'server-failed') return
      if (event.type === 'server-ready' && event.tools > 0) ready.add(event.name)
      if (!starting.delete(event.name) || starting.size > 0) return
      whenShown(node, forCaller.userId, ready, () => welcome(node, forCaller.accessToken))
    },
  })
  await agent.run(end)
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

function welcome(node: Node, token: string): void {
  printLine()
  printLine('Bridgekeeper runs. Any MCP client can now use the tools of this machine:')
  printLine()
  printLine(`  MCP URL  ${node.url}/mcp          (all servers; one alone: ${node.url}/mcp/everything)`)
  printLine(`  Token    ${token}`)
  printLine()
  printLine('A first call, to paste into another terminal in this folder:')
  printLine()
  printLine(
    `  BRIDGEKEEPER_URL=${node.url} BRIDGEKEEPER_TOKEN=${token} npx bridgekeeper call everything echo '{"message":"hello"}'`,
  )
  printLine()
  printLine(`The servers are those of ${join(folder, 'mcp.json')}. Ctrl-C stops everything.`)
}
