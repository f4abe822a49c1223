import type { CatalogServer } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { catalogTool, readyServer } from '../../../test/support/catalog.ts'
import { ExposedNames } from '../src/northbound/tool-names.ts'

function server(name: string, tools: readonly string[]): CatalogServer {
  return readyServer(
    name,
    tools.map((tool) => catalogTool({ name: tool, inputSchema: {} })),
  )
}

const names = new ExposedNames()

const catalogOf = (...servers: readonly CatalogServer[]) => new Map(servers.map((one) => [one.name, one]))

test('[NAME.1] exposes a plain server and tool as server__tool', () => {
  expect(names.of('everything', 'get-sum')).toBe('everything__get-sum')
})

test.each([
  ['a dot in the tool', 'files', 'fs.read'],
  ['a space in the server', 'My Server', 'read'],
  ['the separator in the server', 'a__b', 'c'],
  ['an underscore at the end of the server', 'a_', 'b'],
  ['too long a name', 'a'.repeat(30), 'b'.repeat(17)],
  ['the name of the bridge', 'bridgekeeper', 'status'],
])('[NAME.2] gives %s a legal name that leads back', (_what, serverName, toolName) => {
  const name = names.of(serverName, toolName)
  expect(name).toMatch(/^[a-zA-Z0-9_-]{1,48}$/)
  expect(names.toolAt(name, catalogOf(server(serverName, [toolName])))).toMatchObject({
    serverName,
    toolName,
  })
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
      const exposed = names.tools(catalog)
      const tools = [...catalog.values()].flatMap((one) => (one.state === 'ready' ? one.tools : []))
      expect(exposed.size).toBe(tools.length)
      for (const [key, { serverName, toolName }] of exposed) {
        expect(key).toMatch(/^[a-zA-Z0-9_-]{1,48}$/)
        expect(names.toolAt(key, catalog)).toMatchObject({ serverName, toolName })
      }
    }),
    { numRuns: 500 },
  )
})

test('[NAME.3] lets no tool take the hashed name of another', () => {
  const hashed = names.of('b.c', 'd')
  const [serverName = '', toolName = ''] = hashed.split(/__(.*)/s)
  const clash = catalogOf(server(serverName, [toolName]), server('b.c', ['d']))
  expect(names.tools(clash).size).toBe(2)
  expect(names.toolAt(hashed, clash)).toMatchObject({ serverName: 'b.c', toolName: 'd' })
  expect(names.toolAt(names.of(serverName, toolName), clash)).toMatchObject({ serverName, toolName })
})

test('[NAME.4] reads a plain name without a catalog, and refuses one without a server', () => {
  expect(names.toolAt('seed__run', new Map())).toEqual({ serverName: 'seed', toolName: 'run' })
  for (const name of ['run', '__run', 'seed__', '']) {
    expect(names.toolAt(name, new Map()), name).toMatchObject({ code: 'tool_name_invalid' })
  }
})

test('[NAME.2] keeps names within the length that is set', () => {
  expect(names.of('a'.repeat(30), 'b'.repeat(16))).toBe(`${'a'.repeat(30)}__${'b'.repeat(16)}`)
  for (const maxChars of [24, 60, 64]) {
    const some = new ExposedNames(maxChars)
    const tool = 'b'.repeat(maxChars - 5)
    expect(some.of('aaa', tool)).toBe(`aaa__${tool}`)
    expect(some.of('aaa', `${tool}b`)).toHaveLength(maxChars)
    expect(some.of('aaa', `${tool}b`)).toMatch(/^aaa__b+_[0-9a-f]{10}$/)
  }
})

test.each([23, 65, 48.5, Number.NaN])('[NAME.2] refuses %s as the length of names', (maxChars) => {
  expect(() => new ExposedNames(maxChars)).toThrow(
    new TypeError(`nameChars must be a number from 24 to 64, got ${maxChars}.`),
  )
})
