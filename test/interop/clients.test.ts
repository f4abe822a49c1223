import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ClientKind } from './clients/client.ts'
import { INSPECTOR_CLI } from './clients/inspector.ts'
import { installedClients } from './clients/installed.ts'
import { LIBRARIES } from './clients/libraries.ts'
import { OFFICIAL } from './clients/official.ts'
import { MCP_REMOTES } from './clients/stdio-proxies.ts'
import { useAll } from './features.ts'
import { AS_THEY_ARE, ENDPOINTS, type Outcomes } from './outcomes.ts'
import { type Place, startPlace } from './place.ts'

/** Folder of `npm run interop`, with more clients; it gets a file with all outcomes. */
const { BRIDGEKEEPER_INTEROP: FOLDER } = process.env
const CLIENTS = [
  ...OFFICIAL,
  ...MCP_REMOTES,
  INSPECTOR_CLI,
  ...LIBRARIES,
  ...(FOLDER === undefined ? [] : installedClients(FOLDER)),
]

/** `/mcp` has only tools yet. */
const PATHS = Object.keys(ENDPOINTS).filter((path) => FOLDER !== undefined || path !== '/mcp')

const outcomesOf: Record<string, Record<string, Outcomes>> = {}
let place: Place

beforeAll(async () => {
  place = await startPlace()
})

afterAll(() => {
  if (FOLDER !== undefined) writeFileSync(join(FOLDER, 'outcomes.json'), JSON.stringify(outcomesOf))
})

test.each(CLIENTS)(
  '[MCP.18] $name lists, calls, gets prompts, reads resources, receives progress and aborts at each endpoint',
  async (kind) => {
    const used = await Promise.all(PATHS.map(async (path) => [path, await outcomesAt(path, kind)] as const))
    outcomesOf[kind.name] = Object.fromEntries(used)
    for (const [path, outcomes] of used) {
      const failed = Object.entries(outcomes).filter(([, { mark }]) => mark === 'fails')
      expect(failed, path).toEqual([])
    }
  },
)

async function outcomesAt(path: string, { name, connect }: ClientKind): Promise<Outcomes> {
  const client = await connect(place.target(path))
  const key = `${name} at ${path}`.replaceAll(/\W+/g, '-')
  return useAll({ client, place, naming: ENDPOINTS[path] ?? AS_THEY_ARE, key })
}
