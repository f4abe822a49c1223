import {
  type CatalogServer,
  type CatalogTool,
  limits,
  type ReadyServer,
  serverBytes,
} from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { catalogTool, readyServer } from '../../../../test/support/catalog.ts'
import { type CatalogPart, CatalogParts } from '../../src/connection/catalog-parts.ts'

const ready = (name: string, ...tools: string[]): ReadyServer =>
  readyServer(
    name,
    tools.map((tool) => catalogTool({ name: tool, inputSchema: {} })),
  )
const part = (more: boolean, ...servers: CatalogServer[]): CatalogPart => ({
  ...{ servers, more, only: false, removed: [], sizeBytes: 1 },
})
const namesOf = (catalog: unknown) =>
  catalog instanceof Map
    ? [...catalog].map(([name, server]) => [
        name,
        ...(server.tools ?? []).map(({ name: tool }: CatalogTool) => tool),
      ])
    : catalog
const MIB = 1_048_576

test('[CATALOG.1] merges parts into one catalog, with more tools for a repeated server', () => {
  const parts = new CatalogParts()
  expect(parts.add(part(true, ready('a', 'x'), ready('b', 'y')))).toBe('incomplete')
  expect(parts.add(part(true, { ...ready('b', 'z'), serverInfo: '{}' }))).toBe('incomplete')
  const whole = parts.add(part(false, { state: 'starting', name: 'c' }))
  expect(whole instanceof Map && [...whole.values()]).toEqual([
    ready('a', 'x'),
    ready('b', 'y', 'z'),
    { state: 'starting', name: 'c' },
  ])
})

test('[CATALOG.1] applies a change of a server from ready to not ready, and back', () => {
  const parts = new CatalogParts()
  parts.add(part(true, ready('a', 'x'), { state: 'failed', name: 'b' }))
  const whole = parts.add(part(false, { state: 'failed', name: 'a' }, ready('b', 'y')))
  expect(whole instanceof Map && [...whole.values()].map(({ state }) => state)).toEqual(['failed', 'ready'])
})

test('[CATALOG.2] discards parts over 8 MiB, and reports it once', () => {
  const parts = new CatalogParts()
  for (let n = 0; n < 8; n++)
    expect(parts.add({ ...part(true, ready('a', `t${n}`)), sizeBytes: MIB })).toBe('incomplete')
  expect(parts.add(part(true, ready('a', 'more')))).toBe('too-large')
  expect(parts.add(part(true, ready('a', 'more')))).toBe('incomplete')
  expect(parts.add(part(false, ready('a', 'more')))).toBe('incomplete')
})

test.each([
  ['65 servers', Array.from({ length: 65 }, (_, i) => ready(`s${i}`))],
  ['1,025 tools', Array.from({ length: 1_025 }, (_, i) => ready('s', `t${i}`))],
])('[CATALOG.2] discards parts with %s', (_, servers) => {
  const parts = new CatalogParts()
  const [last, ...others] = servers.toReversed()
  for (const server of others) expect(parts.add(part(true, server))).toBe('incomplete')
  expect(parts.add(part(false, ...(last === undefined ? [] : [last])))).toBe('too-large')
})

test('[CATALOG.3] replaces the servers of an update, removes those that are gone, and keeps the others as they are', () => {
  const base = new Map(
    [ready('a', 'x'), ready('b', 'y'), ready('c', 'z')].map((server) => [server.name, server]),
  )
  const parts = new CatalogParts(base)
  expect(parts.add({ ...part(true, ready('b', 'new')), only: true, removed: ['c', 'unknown'] })).toBe(
    'incomplete',
  )
  const whole = parts.add({ ...part(false, ready('b', 'more'), ready('d')), only: true })
  expect(namesOf(whole)).toEqual([['a', 'x'], ['b', 'new', 'more'], ['d']])
  expect(whole instanceof Map && whole.get('a')).toBe(base.get('a'))
  expect(namesOf(base)).toEqual([
    ['a', 'x'],
    ['b', 'y'],
    ['c', 'z'],
  ])
})

test('[CATALOG.2] counts an update together with the servers that it leaves as they are', () => {
  const server = (name: string, sizeBytes: number) =>
    readyServer(name, [], { instructions: 'x'.repeat(sizeBytes) })
  const base = new Map([server('a', 4 * MIB), server('b', 3 * MIB)].map((each) => [each.name, each]))
  const update = (changes: Partial<CatalogPart>) =>
    new CatalogParts(base).add({ ...part(false, ready('b')), only: true, ...changes })
  expect(update({ sizeBytes: 3.9 * MIB })).toBeInstanceOf(Map)
  expect(update({ sizeBytes: 4.1 * MIB })).toBe('too-large')
  expect(update({ servers: [ready('c')], sizeBytes: 2 * MIB })).toBe('too-large')
  expect(update({ servers: [ready('c')], removed: ['b'], sizeBytes: 2 * MIB })).toBeInstanceOf(Map)
})

test('[CATALOG.2] accepts an update of exactly 8 MiB, and discards the parts after a larger one', () => {
  const server = (name: string) => readyServer(name, [catalogTool({ name: 'x', inputSchema: {} })])
  const base = new Map([server('a'), server('b')].map((each) => [each.name, each]))
  const restBytes = serverBytes(server('b'))
  const exact = { ...part(false, ready('a')), only: true, sizeBytes: limits.catalogBytes - restBytes }
  expect(new CatalogParts(base).add(exact)).toBeInstanceOf(Map)
  const parts = new CatalogParts(base)
  expect(parts.add({ ...exact, sizeBytes: exact.sizeBytes + 1 })).toBe('too-large')
  // Its base is gone, also for servers and removals that a later part names.
  expect(parts.add({ ...part(true, ready('b')), only: true, removed: ['a'] })).toBe('incomplete')
  expect(parts.add({ ...part(false, ready('a')), only: true, removed: ['b'] })).toBe('incomplete')
})

test('[CATALOG.2] accepts more tools of a known server when the catalog has 64', () => {
  const parts = new CatalogParts()
  const names = Array.from({ length: limits.serversPerAgent }, (_, n) => `s${n}`)
  parts.add(part(true, ...names.map((name) => ready(name))))
  const whole = parts.add(part(false, ready('s0', 'x')))
  expect(namesOf(whole)).toEqual([['s0', 'x'], ...names.slice(1).map((name) => [name])])
})
