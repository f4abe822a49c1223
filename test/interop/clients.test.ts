import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { INSPECTOR_CLI } from './clients/inspector.ts'
import { installedClients } from './clients/installed.ts'
import { LIBRARIES } from './clients/libraries.ts'
import { OFFICIAL } from './clients/official.ts'
import { MCP_REMOTES } from './clients/stdio-proxies.ts'
import { useAll } from './features.ts'
import { ENDPOINTS, type Outcomes } from './outcomes.ts'
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

/** Inspector starts a process for each request. */
const LIMIT_MS = 180_000

const outcomesOf: Record<string, Record<string, Outcomes>> = {}
let place: Place

beforeAll(async () => {
  place = await startPlace()
})

afterAll(() => {
  if (FOLDER !== undefined) writeFileSync(join(FOLDER, 'outcomes.json'), JSON.stringify(outcomesOf))
})

test.each(CLIENTS)(
  '[MCP.15] $name lists, calls, gets prompts, reads resources, receives progress and aborts at each endpoint',
  async (kind) => {
    const connected = Object.entries(ENDPOINTS).map(
      async ([path, naming]) => [path, naming, await kind.connect(place.target(path))] as const,
    )
    const used = (await Promise.all(connected)).map(async ([path, naming, client]) => {
      const key = `${kind.name} at ${path}`.replaceAll(/\W+/g, '-')
      return [path, await useAll({ client, place, naming, key })] as const
    })
    const outcomes = await Promise.all(used)
    outcomesOf[kind.name] = Object.fromEntries(outcomes)
    for (const [path, of] of outcomes) {
      expect(
        Object.entries(of).filter(([, { mark }]) => mark === 'fails'),
        path,
      ).toEqual([])
    }
  },
  LIMIT_MS,
)
