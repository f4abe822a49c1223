import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A published server that needs no account for what it is asked here. */
export interface PublishedServer {
  readonly package: string
  readonly version: string
  /** Name of its command, if the package has several. */
  readonly command?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Calls with arguments. Other calls are made of its list of tools. */
  readonly calls?: readonly (readonly [tool: string, args: object])[]
}

const MCP = '@modelcontextprotocol'

export const PUBLISHED: readonly PublishedServer[] = [
  {
    package: `${MCP}/server-everything`,
    version: '2026.8.31',
    calls: [
      ['echo', { message: '"quoted" ü 🌉 \u2028' }],
      ['get-sum', { a: 0.1, b: 0.2 }],
      ['get-sum', { a: 'one' }],
      ['get-tiny-image', {}],
      ['get-structured-content', { location: 'Chicago' }],
      ['get-annotated-message', { messageType: 'error', includeImage: true }],
      ['get-resource-links', { count: 3 }],
    ],
  },
  {
    package: `${MCP}/server-filesystem`,
    version: '2026.8.31',
    args: ['.'],
    calls: [
      ['list_allowed_directories', {}],
      ['write_file', { path: 'notes.txt', content: 'line one\nline two, ü\n' }],
      ['read_text_file', { path: 'notes.txt' }],
      ['read_text_file', { path: '/etc/passwd' }],
    ],
  },
  {
    package: `${MCP}/server-memory`,
    version: '2026.8.31',
    env: { MEMORY_FILE_PATH: 'memory.jsonl' },
    calls: [
      ['create_entities', { entities: [{ name: 'Ann', entityType: 'person', observations: ['is here'] }] }],
      ['open_nodes', { names: ['Ann'] }],
      ['add_observations', { observations: [{ entityName: 'nobody', contents: ['x'] }] }],
    ],
  },
  {
    package: `${MCP}/server-sequential-thinking`,
    version: '2026.8.31',
    calls: [
      [
        'sequentialthinking',
        { thought: 'One', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
      ],
    ],
  },
  { package: '@playwright/mcp', version: '0.0.83' },
  { package: 'chrome-devtools-mcp', version: '1.11.0', command: 'chrome-devtools-mcp' },
  { package: '@upstash/context7-mcp', version: '4.1.1' },
  { package: '@antv/mcp-server-chart', version: '0.9.10' },
  { package: 'mongodb-mcp-server', version: '3.0.4', env: { MDB_MCP_TELEMETRY: 'disabled' } },
  { package: 'exa-mcp-server', version: '3.4.1' },
  { package: '@notionhq/notion-mcp-server', version: '2.5.2' },
  { package: 'mcp-sequentialthinking-tools', version: '0.0.3' },
  { package: 'mcp-server-kubernetes', version: '4.1.7' },
  { package: '@eslint/mcp', version: '0.3.13' },
  { package: 'mcp-fetch-server', version: '1.1.2', command: 'mcp-fetch-server' },
  { package: '@mastra/mcp-docs-server', version: '1.2.27' },
  { package: '@browsermcp/mcp', version: '0.1.3' },
  { package: 'figma-developer-mcp', version: '0.13.2', args: ['--figma-api-key=none', '--stdio'] },
  { package: 'mcp-server-code-runner', version: '0.1.8' },
  { package: '@softeria/ms-365-mcp-server', version: '0.155.0' },
]

/** Name of a server in the config file. */
export function nameOf(server: PublishedServer): string {
  return server.package.replace(/^@/, '').replaceAll('/', '-')
}

/**
 * The entry of the config file that starts a server.
 * @param folder into which npm installed it
 * @param home its home and working folder
 */
export function entryOf(server: PublishedServer, folder: string, home: string) {
  const at = join(folder, 'node_modules', server.package)
  const { bin } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
  const path: string = typeof bin === 'string' ? bin : (bin[server.command ?? ''] ?? Object.values(bin)[0])
  return {
    command: process.execPath,
    args: [join(at, path), ...(server.args ?? [])],
    env: { HOME: home, ...server.env },
    cwd: home,
  }
}

export type Entry = ReturnType<typeof entryOf>
