import { expect, test } from 'vitest'
import { check, plant, repository } from './planted.ts'

const clean: Record<string, string> = {
  'packages/protocol/package.json': manifest({ zod: '1' }),
  'packages/protocol/src/index.ts': "export { z } from 'zod'\n",
  'packages/server/package.json': manifest({
    '@bridgekeeper/protocol': '1',
    '@modelcontextprotocol/server': '1',
    jose: '1',
    pg: '1',
    ws: '1',
    zod: '1',
  }),
  'packages/server/src/ports.ts':
    "import type { Verdict } from './gates/verdict.ts'\nexport type Port = Verdict\n",
  'packages/server/src/gates/verdict.ts':
    "import { createHash } from 'node:crypto'\nexport type Verdict = string\n",
  'packages/server/src/router/router.ts':
    "// import '../southbound/agents.ts' and Date.now() are only talk\n",
  'packages/server/src/southbound/agents.ts': "import { WebSocketServer } from 'ws'\n",
  'packages/server/src/northbound/mcp.ts': "import { Server } from '@modelcontextprotocol/server/x.js'\n",
  'packages/server/src/identity/tokens.ts':
    "import { jwtVerify } from 'jose'\nexport const seen = new Date(0)\n",
  'packages/server/src/adapters/postgres/users.ts': "import pg from 'pg'\nimport '../../ports.ts'\n",
  'packages/server/src/standalone/node.ts': "import '../southbound/agents.ts'\nimport '../bridge.ts'\n",
  'packages/server/src/northbound/version.ts':
    "import { version } from '../../package.json' with { type: 'json' }\n",
  'packages/server/src/bridge.ts': "import './adapters/postgres/users.ts'\nimport './northbound/mcp.ts'\n",
  'packages/server/src/system.ts': 'export const now = () => Date.now() + Math.random()\n',
  'packages/agent/package.json': manifest({ '@modelcontextprotocol/client': '1', ws: '1' }),
  'packages/agent/src/link/socket.ts': "import WebSocket from 'ws'\nimport '../guard/policy.ts'\n",
  'packages/agent/src/guard/policy.ts': 'export const policy = 1\n',
  'packages/agent/src/servers/start.ts':
    "import { spawn } from 'child_process'\nawait import('@modelcontextprotocol/client')\n",
  'packages/console/package.json': manifest({ '@bridgekeeper/server': '1' }),
  'packages/cli/package.json': manifest({ '@bridgekeeper/server': '1', '@bridgekeeper/agent': '1' }),
  'packages/cli/src/main.ts': "import '@bridgekeeper/server'\nimport '@bridgekeeper/agent'\nDate.now()\n",
}

function manifest(dependencies: Record<string, string>): string {
  return JSON.stringify({ dependencies })
}

const passed = { code: 0, stderr: '', stdout: expect.stringMatching(/^imports: \d+ files/) }

test('[HOUSE.1] [HOUSE.2] [HOUSE.3] a clean tree passes the import check', async () => {
  expect(await check('check-imports.ts', plant(clean))).toEqual(passed)
})

test('[HOUSE.1] [HOUSE.2] [HOUSE.3] this repository passes the import check', async () => {
  expect(await check('check-imports.ts', repository)).toEqual(passed)
})

test('[HOUSE.1] an empty tree does not pass for a clean one', async () => {
  const { code, stdout } = await check('check-imports.ts', plant({ 'README.md': '' }))
  expect({ code, stdout }).toEqual({ code: 1, stdout: 'packages:1  empty  there is nothing here to check\n' })
})

/** A table of planted violations: file | code | rule | words that name it. */
function violations(table: string): [file: string, code: string, rule: string, words: string][] {
  return table
    .trim()
    .split('\n')
    .map((row) => row.split('|').map((cell) => cell.trim()))
    .map(([file = '', code = '', rule = '', words = '']) => [`packages/${file}`, code, rule, words])
}

const layers = violations(`
  protocol/src/a.ts          | import { createHash } from 'node:crypto'       | layer | protocol may not import node:crypto
  server/src/gates/a.ts      | import http from 'node:http'                   | layer | server/gates may not import node:http
  server/src/gates/a.ts      | import { z } from 'zod'                        | layer | server/gates may not import zod
  server/src/gates/a.ts      | import type { A } from '../router/router.ts'   | layer | server/gates may not import server/router
  server/src/ports.ts        | export { verdict } from './gates/verdict.ts'   | layer | may import only types of server/gates
  server/src/connection/a.ts | import '../router/router.ts'                   | layer | server/connection may not import server/router
  server/src/router/a.ts     | import '../southbound/agents.ts'               | layer | server/router may not import server/southbound
  server/src/southbound/a.ts | import '../northbound/mcp.ts'                  | layer | server/southbound may not import server/northbound
  server/src/northbound/a.ts | export * from '../southbound/agents.ts'        | layer | server/northbound may not import server/southbound
  server/src/northbound/a.ts | await import('../southbound/agents.ts')        | layer | server/northbound may not import server/southbound
  server/src/northbound/a.ts | import '../adapters/postgres/users.ts'         | layer | server/northbound may not import server/adapters
  server/src/northbound/a.ts | import '../bridge.ts'                          | layer | server/northbound may not import server/bridge
  server/src/identity/a.ts   | import '../northbound/mcp.ts'                  | layer | server/identity may not import server/northbound
  server/src/adapters/a.ts   | import '../gates/verdict.ts'                   | layer | server/adapters may not import server/gates
  server/src/bridge.ts       | import '@bridgekeeper/agent'                   | layer | server may not import @bridgekeeper/agent
  agent/src/link/a.ts        | import type { A } from '@bridgekeeper/server'  | layer | agent may not import @bridgekeeper/server
  console/src/a.ts           | import '@bridgekeeper/server'                  | layer | console may not import @bridgekeeper/server
  server/src/router/a.ts     | import WebSocket from 'ws'                     | owner | only server/southbound may import ws
  server/src/standalone/a.ts | import { DatabaseSync } from 'node:sqlite'     | owner | only server/adapters may import node:sqlite
  server/src/router/a.ts     | import pg from 'pg'                            | owner | only server/adapters may import pg
  server/src/router/a.ts     | import { jwtVerify } from 'jose'               | owner | only server/identity may import jose
  server/src/bridge.ts       | import '@modelcontextprotocol/server'          | owner | only server/northbound may import
  agent/src/guard/a.ts       | import WebSocket from 'ws'                     | owner | only agent/link may import ws
  agent/src/config/a.ts      | import { spawn } from 'node:child_process'     | owner | only agent/servers may import node:child_process
  agent/src/link/a.ts        | import { A } from '@modelcontextprotocol/client' | owner | only agent/servers may import
`)

const detours = violations(`
  server/src/router/a.ts     | import x from 'left-pad'                     | undeclared | does not declare left-pad
  cli/src/a.ts               | import '@bridgekeeper/protocol'              | undeclared | does not declare @bridgekeeper/protocol
  cli/src/a.ts               | import '../../server/src/bridge.ts'          | crossing   | packages/server/src/bridge.ts is outside
  server/src/router/a.ts     | import './a.ts'                              | cycle      | router/a.ts → packages/server/src/router/a.ts
  agent/src/guard/policy.ts  | import type { A } from '../link/socket.ts'   | cycle      | link/socket.ts → packages/agent/src/guard/policy.ts
`)

const clocks = violations(`
  protocol/src/a.ts          | const at = Date.now()                        | time       | Date.now
  server/src/gates/a.ts      | const clock = Date.now                       | time       | Date.now
  server/src/router/a.ts     | const at = new Date()                        | time       | new Date
  agent/src/link/a.ts        | const wait = Math.random() * 1000            | time       | Math.random
`)

test.each(layers)('[HOUSE.1] names the wrong import in %s: %s', catches)
test.each(detours)('[HOUSE.2] names the way around in %s: %s', catches)
test.each(clocks)('[HOUSE.3] names the clock or dice in %s: %s', catches)

async function catches(file: string, code: string, rule: string, words: string): Promise<void> {
  const outcome = await check('check-imports.ts', plant({ ...clean, [file]: `// first line\n\n${code}\n` }))
  const named = outcome.stdout
    .split('\n')
    .filter((line) => line.includes(`  ${rule}  `) && line.includes(words))
  expect(outcome).toMatchObject({ code: 1, stderr: '' })
  expect(named, outcome.stdout).toHaveLength(1)
  // Which file of a circle closes it depends on where the search began.
  if (rule !== 'cycle') expect(named[0]).toMatch(new RegExp(`^${file}:3 `))
}
