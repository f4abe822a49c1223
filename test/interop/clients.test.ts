import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

/** The others need what the bridge does not do yet. */
const IN_EACH_RUN: readonly string[] = ['/mcp/v2']
const PATHS = Object.entries(ENDPOINTS).filter(([path]) => FOLDER !== undefined || IN_EACH_RUN.includes(path))

const outcomesOf: Record<string, Record<string, Outcomes>> = {}
let place: Place

beforeAll(async () => {
  place = await startPlace()
})

afterAll(() => {
  if (FOLDER !== undefined) writeFileSync(join(FOLDER, 'outcomes.json'), JSON.stringify(outcomesOf))
})

describe.each(CLIENTS)('$name', ({ name, connect }) => {
  test.each(PATHS)(
    '[MCP.18] lists, calls, gets prompts, reads resources, receives progress and aborts at %s',
    async (path, naming) => {
      const client = await connect(place.target(path))
      const key = `${name} at ${path}`.replaceAll(/\W+/g, '-')
      const outcomes = await useAll({ client, place, naming, key })
      outcomesOf[name] = { ...outcomesOf[name], [path]: outcomes }
      expect(Object.entries(outcomes).filter(([, { mark }]) => mark === 'fails')).toEqual([])
    },
  )
})
