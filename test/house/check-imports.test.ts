import { expect, test } from 'vitest'
import { check, plant, repository } from './planted.ts'

const clean: Record<string, string> = {
  'package.json': JSON.stringify({ devDependencies: { vitest: '1' } }),
  'packages/bridge/test/tokens.test.ts':
    "import { test } from 'vitest'\nimport { seen } from '../src/tokens/tokens.ts'\nimport '@bridgekeeper/bridge/testing'\n",
  'test/support/system.ts': "import '@bridgekeeper/agent/testing'\nDate.now()\n",
  'bench/main.ts': "import '../test/support/system.ts'\nexport const { PORT } = process.env\n",
  'scripts/run.mjs': "import '../packages/cli/bin/start.mjs'\n",
  'packages/cli/bin/start.mjs': '',
  'packages/protocol/package.json': manifest({ zod: '1' }),
  'packages/protocol/src/index.ts': "export { z } from 'zod'\n",
  'packages/bridge/package.json': manifest({
    '@bridgekeeper/protocol': '1',
    '@modelcontextprotocol/server': '1',
    jose: '1',
    ws: '1',
    zod: '1',
  }),
  'packages/bridge/src/ports.ts':
    "import type { Verdict } from './gates/verdict.ts'\nexport type Port = Verdict\n",
  'packages/bridge/src/gates/verdict.ts':
    "import { createHash } from 'node:crypto'\nexport type Verdict = string\n",
  'packages/bridge/src/router/router.ts': `// import '../southbound/agents.ts' and Date.now()\nexport const text = "import('../northbound/mcp.ts')"\n`,
  'packages/bridge/src/southbound/agents.ts': "import { WebSocketServer } from 'ws'\n",
  'packages/bridge/src/northbound/mcp.ts': "import { Server } from '@modelcontextprotocol/server/x.js'\n",
  'packages/bridge/src/tokens/tokens.ts':
    "import { jwtVerify } from 'jose'\nexport const seen = new Date(0)\n",
  'packages/bridge/src/northbound/version.ts':
    "import { version } from '../../package.json' with { type: 'json' }\n",
  'packages/bridge/src/bridge.ts': "import './northbound/mcp.ts'\nimport './southbound/agents.ts'\n",
  'packages/bridge/src/assemble.ts': 'export const env = process.env\n',
  'packages/bridge/src/system.ts': 'export const now = () => Date.now() + Math.random()\n',
  'packages/agent/package.json': manifest({ '@modelcontextprotocol/client': '1', ws: '1' }),
  'packages/agent/src/link/socket.ts': "import WebSocket from 'ws'\nimport '../guard/policy.ts'\n",
  'packages/agent/src/guard/policy.ts': 'export const policy = 1\n',
  'packages/agent/src/servers/start.ts':
    "import { spawn } from 'child_process'\nawait import('@modelcontextprotocol/client')\n",
  'packages/standalone/package.json': manifest({ '@bridgekeeper/bridge': '1', pg: '1' }),
  'packages/standalone/src/adapters/postgres/users.ts': "import pg from 'pg'\n",
  'packages/standalone/src/serve.ts':
    "import '@bridgekeeper/bridge'\nimport './adapters/postgres/users.ts'\n",
  'packages/cli/package.json': manifest({ '@bridgekeeper/standalone': '1', '@bridgekeeper/agent': '1' }),
  'packages/cli/src/main.ts': "import '@bridgekeeper/standalone'\nimport '@bridgekeeper/agent'\nDate.now()\n",
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

test('[HOUSE.1] an empty tree fails the import check', async () => {
  const { code, stdout } = await check('check-imports.ts', plant({ 'README.md': '' }))
  expect({ code, stdout }).toEqual({ code: 1, stdout: 'packages:1  empty  no file to check\n' })
})

/** A table of planted violations: file | code | rule | words that name it. */
function violations(table: string): [file: string, code: string, rule: string, words: string][] {
  return table
    .trim()
    .split('\n')
    .map((row) => row.split('|').map((cell) => cell.trim()))
    .map(([file = '', code = '', rule = '', words = '']) => [
      /^(?:test|bench|scripts)\//.test(file) ? file : `packages/${file}`,
      code,
      rule,
      words,
    ])
}

const layers = violations(`
  protocol/src/a.ts          | import { readFileSync } from 'node:fs'         | layer | protocol may not import node:fs
  bridge/src/gates/a.ts      | import http from 'node:http'                   | layer | bridge/gates may not import node:http
  bridge/src/gates/a.ts      | import { z } from 'zod'                        | layer | bridge/gates may not import zod
  bridge/src/gates/a.ts      | import type { A } from '../router/router.ts'   | layer | bridge/gates may not import bridge/router
  bridge/src/ports.ts        | export { verdict } from './gates/verdict.ts'   | layer | may import only types of bridge/gates
  bridge/src/connection/a.ts | import '../router/router.ts'                   | layer | bridge/connection may not import bridge/router
  bridge/src/router/a.ts     | import '../southbound/agents.ts'               | layer | bridge/router may not import bridge/southbound
  bridge/src/southbound/a.ts | import '../northbound/mcp.ts'                  | layer | bridge/southbound may not import bridge/northbound
  bridge/src/northbound/a.ts | export * from '../southbound/agents.ts'        | layer | bridge/northbound may not import bridge/southbound
  bridge/src/northbound/a.ts | await import('../southbound/agents.ts')        | layer | bridge/northbound may not import bridge/southbound
  bridge/src/northbound/a.ts | import '../tokens/tokens.ts'                 | layer | bridge/northbound may not import bridge/tokens
  bridge/src/northbound/a.ts | import '../bridge.ts'                          | layer | bridge/northbound may not import bridge/bridge
  bridge/src/tokens/a.ts   | import '../northbound/mcp.ts'                  | layer | bridge/tokens may not import bridge/northbound
  standalone/src/adapters/a.ts | import '../serve.ts'                           | layer | standalone/adapters may not import standalone/serve
  bridge/src/bridge.ts       | import '@bridgekeeper/agent'                   | layer | bridge may not import @bridgekeeper/agent
  agent/src/link/a.ts        | import type { A } from '@bridgekeeper/bridge'  | layer | agent may not import @bridgekeeper/bridge
  bridge/src/bridge.ts       | import '@bridgekeeper/standalone'              | layer | bridge may not import @bridgekeeper/standalone
  bridge/src/router/a.ts     | import WebSocket from 'ws'                     | owner | only bridge/southbound may import ws
  standalone/src/http/a.ts   | import { DatabaseSync } from 'node:sqlite'     | owner | only standalone/adapters may import node:sqlite
  standalone/src/http/a.ts   | import pg from 'pg'                            | owner | only standalone/adapters may import pg
  bridge/src/router/a.ts     | import { jwtVerify } from 'jose'               | owner | only bridge/tokens may import jose
  bridge/src/bridge.ts       | import '@modelcontextprotocol/server'          | owner | only bridge/northbound may import
  agent/src/guard/a.ts       | import WebSocket from 'ws'                     | owner | only agent/link may import ws
  agent/src/config/a.ts      | import { spawn } from 'node:child_process'     | owner | only agent/servers may import node:child_process
  agent/src/link/a.ts        | import { A } from '@modelcontextprotocol/client' | owner | only agent/servers may import
  bridge/src/router/a.ts     | type A = import('../southbound/agents.ts').A   | layer | bridge/router may not import bridge/southbound
  bridge/src/router/a.ts     | await import(\`../southbound/agents.ts\`)        | layer | bridge/router may not import bridge/southbound
  bridge/src/router/a.ts     | import { readFile } from 'fs/promises'         | package | bridge may not import node:fs/promises
  bridge/src/bridge.ts       | import { spawn } from 'node:child_process'     | package | bridge may not import node:child_process
  bridge/src/bridge.ts       | import { DatabaseSync } from 'node:sqlite'     | package | bridge may not import node:sqlite
  bridge/src/bridge.ts       | import pg from 'pg'                            | package | bridge may not import pg
  bridge/src/bridge.ts       | import { Provider } from 'oidc-provider'       | package | bridge may not import oidc-provider
  standalone/src/serve.ts    | import '@bridgekeeper/bridge/testing'          | testing | only tests, scripts and benchmarks may import
`)

const detours = violations(`
  bridge/src/router/a.ts     | import x from 'left-pad'                     | undeclared | does not declare left-pad
  cli/src/a.ts               | import '@bridgekeeper/protocol'              | undeclared | does not declare @bridgekeeper/protocol
  cli/src/a.ts               | import '../../bridge/src/bridge.ts'          | crossing   | packages/bridge/src/bridge.ts is outside
  bridge/src/router/a.ts     | import './a.ts'                              | cycle      | router/a.ts → packages/bridge/src/router/a.ts
  test/a.test.ts             | import '../packages/bridge/src/bridge.ts'    | crossing   | packages/bridge/src/bridge.ts is outside
  agent/test/a.test.ts       | import '../../bridge/src/bridge.ts'          | crossing   | packages/bridge/src/bridge.ts is outside
  bench/a.ts                 | import '../packages/bridge/src/bridge.ts'    | crossing   | packages/bridge/src/bridge.ts is outside
  scripts/a.ts               | import x from 'left-pad'                     | undeclared | package.json does not declare left-pad
  agent/test/a.test.ts       | import 'jose'                                | undeclared | packages/agent/package.json does not declare jose
  bench/a.ts                 | import './a.ts'                              | cycle      | bench/a.ts → bench/a.ts
  scripts/a.ts               | import './a.ts'                              | cycle      | scripts/a.ts → scripts/a.ts
  agent/src/guard/policy.ts  | import type { A } from '../link/socket.ts'   | cycle      | link/socket.ts → packages/agent/src/guard/policy.ts
`)

const clocks = violations(`
  protocol/src/a.ts          | const at = Date.now()                        | time       | Date.now
  bridge/src/gates/a.ts      | const clock = Date.now                       | time       | Date.now
  bridge/src/router/a.ts     | const at = new Date()                        | time       | new Date
  agent/src/link/a.ts        | const wait = Math.random() * 1000            | time       | Math.random
  agent/src/link/a.ts        | const wait = Math['random']() * 1000         | time       | Math.random
  bridge/src/router/a.ts     | const { PORT } = process.env                 | env        | process.env
`)

test.each(layers)('[HOUSE.1] reports the wrong import in %s: %s', catches)
test.each(detours)('[HOUSE.2] reports the undeclared or relative import, or the cycle, in %s: %s', catches)
test.each(clocks)('[HOUSE.3] reports the clock, randomness or environment in %s: %s', catches)

async function catches(file: string, code: string, rule: string, words: string): Promise<void> {
  const outcome = await check('check-imports.ts', plant({ ...clean, [file]: `// first line\n\n${code}\n` }))
  const named = outcome.stdout
    .split('\n')
    .filter((line) => line.includes(`  ${rule}  `) && line.includes(words))
  expect(outcome).toMatchObject({ code: 1, stderr: '' })
  expect(named, outcome.stdout).toHaveLength(1)
  // The search may begin at any file of a cycle, so the reported file varies.
  if (rule !== 'cycle') expect(named[0]).toMatch(new RegExp(`^${file}:3 `))
}
