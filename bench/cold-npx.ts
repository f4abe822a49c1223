/**
 * Starts 20 published servers by `npx` with an empty npm cache, as a new user's config file does, and prints when each
 * was ready. None of them needs a download beyond the npm registry, or a login. Start with: node bench/cold-npx.ts
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AgentEvent, createAgent, parseConfig } from '@bridgekeeper/agent'

const PACKAGES: readonly (readonly string[])[] = [
  ['@modelcontextprotocol/server-everything'],
  ['@modelcontextprotocol/server-filesystem', '.'],
  ['@modelcontextprotocol/server-memory'],
  ['@modelcontextprotocol/server-sequential-thinking'],
  ['@playwright/mcp'],
  ['chrome-devtools-mcp'],
  ['@upstash/context7-mcp'],
  ['@antv/mcp-server-chart'],
  ['mongodb-mcp-server'],
  ['exa-mcp-server'],
  ['@notionhq/notion-mcp-server'],
  ['mcp-sequentialthinking-tools'],
  ['mcp-server-kubernetes'],
  ['@eslint/mcp'],
  ['mcp-fetch-server'],
  ['@mastra/mcp-docs-server'],
  ['@browsermcp/mcp'],
  ['figma-developer-mcp', '--figma-api-key=none', '--stdio'],
  ['mcp-server-code-runner'],
  ['@softeria/ms-365-mcp-server'],
]
const MOST_MS = 1_200_000

const folder = mkdtempSync(join(tmpdir(), 'cold-npx-'))
const env = { npm_config_cache: join(folder, 'npm'), npm_config_update_notifier: 'false' }
const mcpServers = Object.fromEntries(
  PACKAGES.map(([name = '', ...args]) => [
    name,
    { command: 'npx', args: ['-y', name, ...args], env, cwd: folder },
  ]),
)
const startMs = performance.now()
const seconds = () => ((performance.now() - startMs) / 1_000).toFixed(1).padStart(7)
const ready = new Set<string>()
const failures: string[] = []
const stop = new AbortController()
const timer = setTimeout(() => stop.abort(), MOST_MS)

function onEvent(event: AgentEvent): void {
  switch (event.type) {
    case 'server-starting':
      console.log(
        seconds(),
        event.name,
        event.forMs === 0 ? 'starts' : `still starts after ${event.forMs} ms`,
      )
      break
    case 'server-ready':
      ready.add(event.name)
      console.log(seconds(), event.name, `ready, ${event.tools} tools (${ready.size} of ${PACKAGES.length})`)
      if (ready.size === PACKAGES.length) stop.abort()
      break
    case 'server-failed':
    case 'server-exited':
      failures.push(`${event.name}: ${event.reason}`)
      console.log(seconds(), event.name, event.reason, event.stderr.slice(-300))
      break
    default:
  }
}

try {
  const servers = parseConfig(JSON.stringify({ mcpServers }), process.env, folder)
  const agent = createAgent({
    url: 'http://127.0.0.1:9',
    token: () => 'none',
    ...{ userId: 'user', sessionId: 'session', servers, onEvent },
  })
  await agent.run(stop.signal)
  console.log(
    `${ready.size} of ${PACKAGES.length} ready after ${seconds().trim()} s; failures: ${failures.length}`,
  )
} finally {
  clearTimeout(timer)
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = ready.size === PACKAGES.length && failures.length === 0 ? 0 : 1
