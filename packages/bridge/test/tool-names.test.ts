import type { CatalogServer } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressOf, exposedName, exposedTools } from '../src/northbound/tool-names.ts'

function server(name: string, tools: readonly string[]): CatalogServer {
  return {
    state: 'ready',
    name,
    serverInfo: { name, version: '1' },
    tools: tools.map((tool) => ({ hash: '0'.repeat(64), definition: { name: tool, inputSchema: {} } })),
  }
}

const catalogOf = (...servers: readonly CatalogServer[]) => new Map(servers.map((one) => [one.name, one]))

test('[NAME.1] exposes a plain server and tool as server__tool', () => {
  expect(exposedName('everything', 'get-sum')).toBe('everything__get-sum')
})

test.each([
  ['a dot in the tool', 'files', 'fs.read'],
  ['a space in the server', 'My Server', 'read'],
  ['the separator in the server', 'a__b', 'c'],
  ['an underscore at the end of the server', 'a_', 'b'],
  ['too long a name', 'a'.repeat(40), 'b'.repeat(40)],
])('[NAME.2] gives %s a legal name that leads back', (_what, serverName, toolName) => {
  const name = exposedName(serverName, toolName)
  expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
  expect(addressOf(name, catalogOf(server(serverName, [toolName])))).toMatchObject({ serverName, toolName })
})

test('[NAME.2] gives every tool of any catalog a legal name that leads back', () => {
  const name = fc.oneof(fc.string({ minLength: 1, maxLength: 50 }), fc.stringMatching(/^[a_]{1,6}$/))
  const anyCatalog = fc
    .uniqueArray(fc.tuple(name, fc.uniqueArray(name, { maxLength: 5 })), {
      selector: ([one]) => one,
      maxLength: 6,
    })
    .map((servers) => catalogOf(...servers.map(([one, tools]) => server(one, tools))))
  fc.assert(
    fc.property(anyCatalog, (catalog) => {
      const exposed = exposedTools(catalog)
      const tools = [...catalog.values()].flatMap((one) => (one.state === 'ready' ? one.tools : []))
      expect(exposed.size).toBe(tools.length)
      for (const [key, { serverName, toolName }] of exposed) {
        expect(key).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
        expect(addressOf(key, catalog)).toMatchObject({ serverName, toolName })
      }
    }),
    { numRuns: 500 },
  )
})

test('[NAME.3] keeps a tool’s plain name when another’s hashed name is the same', () => {
  const hashed = exposedName('b.c', 'd')
  const [serverName = '', toolName = ''] = hashed.split(/__(.*)/s)
  const clash = catalogOf(server('b.c', ['d']), server(serverName, [toolName]))
  expect(exposedTools(clash).get(hashed)).toMatchObject({ serverName, toolName })
  expect(addressOf(hashed, clash)).toEqual({ serverName, toolName })
})

test('[NAME.4] reads a plain name without a catalog, and refuses one without a server', () => {
  expect(addressOf('seed__run', new Map())).toEqual({ serverName: 'seed', toolName: 'run' })
  for (const name of ['run', '__run', 'seed__', '']) {
    expect(addressOf(name, new Map()), name).toMatchObject({ code: 'tool_name_invalid' })
  }
})
