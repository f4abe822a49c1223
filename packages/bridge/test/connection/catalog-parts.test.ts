import type { CatalogServer } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { type CatalogPart, CatalogParts } from '../../src/connection/catalog-parts.ts'

const tool = (name: string) => ({ hash: '', definition: { name, inputSchema: {} } })
const ready = (name: string, ...tools: string[]): CatalogServer => ({
  ...{ state: 'ready', name, serverInfo: { name, version: '1' } },
  tools: tools.map(tool),
})
const part = (more: boolean, ...servers: CatalogServer[]): CatalogPart => ({ servers, more, sizeBytes: 1 })
const MIB = 1_048_576

test('[CATALOG.1] merges parts into one catalog, with more tools for a repeated server', () => {
  const parts = new CatalogParts()
  expect(parts.add(part(true, ready('a', 'x'), ready('b', 'y')))).toBe('incomplete')
  expect(
    parts.add(part(true, { ...ready('b', 'z'), serverInfo: { name: '', version: '' } } as CatalogServer)),
  ).toBe('incomplete')
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
