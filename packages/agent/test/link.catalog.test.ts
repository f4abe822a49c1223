import { type CatalogTool, decodeUp, type ReadyServer, serverBytes, toolText } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { catalogTool, readyServer } from '../../../test/support/catalog.ts'
import { CatalogReport, catalogFrames } from '../src/link/catalog-frame.ts'
import { FakeBridge } from './support/bridge.ts'
import { runLink } from './support/linked.ts'
import { until } from './support/until.ts'

const toolOf = (name: string, bytes: number) =>
  catalogTool({ name, inputSchema: {}, description: 'é'.repeat(bytes / 2) })
const readyWith = (name: string, tools: readonly CatalogTool[]) =>
  readyServer(name, tools, { instructions: 'Use them.' })
/** Tools as they travel. */
const sent = ({ tools }: ReadyServer) => tools.map((tool) => JSON.parse(toolText(tool)))

test('[LINK.6] sends a catalog in parts of 256 KiB, and a larger definition in its own part', () => {
  const many = readyWith(
    'many',
    Array.from({ length: 200 }, (_, i) => toolOf(`t${i}`, 10_000)),
  )
  const large = readyWith('large', [toolOf('small', 10), toolOf('large', 900_000), toolOf('last', 10)])
  const frames = catalogFrames([many, { state: 'starting', name: 'other' }, large, readyWith('none', [])])
  const parts = frames.map((frame) => JSON.parse(frame.toString('utf8')))
  expect(frames.filter((frame) => frame.length > 300_000)).toHaveLength(1)
  expect(frames.every((frame) => frame.length <= 1_048_576 && decodeUp(frame, 'v2').ok)).toBe(true)
  expect(parts.map(({ more }) => more === true)).toEqual(parts.map((_, at) => at < parts.length - 1))
  const servers = parts.flatMap((part) => part.servers)
  expect(servers[0]).toMatchObject({ name: 'many', serverInfo: { name: 'many' }, instructions: 'Use them.' })
  const toolsOf = (name: string) => servers.flatMap((server) => (server.name === name ? server.tools : []))
  expect([toolsOf('many'), toolsOf('large'), toolsOf('none')]).toEqual([sent(many), sent(large), []])
  expect(catalogFrames([]).map(String)).toEqual(['{"type":"catalog","servers":[]}'])
})

test('[LINK.6] sends only the servers that have changed, and names those that are gone', async () => {
  const bridge = await FakeBridge.start()
  const { link, tools, event, system } = runLink(bridge.url)
  tools.servers = [
    readyWith(
      'many',
      Array.from({ length: 100 }, (_, i) => toolOf(`t${i}`, 10_000)),
    ),
  ]
  const peer = await bridge.peer()
  await event('verified')
  const last = await until(() => peer.all('catalog').find((frame) => frame.more !== true))
  const count = peer.all('catalog').length
  expect(last).toMatchObject({ servers: [{ name: 'many' }] })
  link.catalogChanged()
  tools.servers = [...tools.servers, { state: 'starting', name: 'other' }]
  link.catalogChanged()
  await system.advance(0)
  await until(() => peer.all('catalog').length === count + 1)
  expect(peer.all('catalog').at(-1)).toEqual({
    ...{ type: 'catalog', only: true, removed: [] },
    servers: [{ state: 'starting', name: 'other' }],
  })
  tools.servers = [readyWith('many', [toolOf('t', 10)])]
  link.catalogChanged()
  await system.advance(0)
  const change = await until(() => peer.all('catalog')[count + 1])
  expect(change).toMatchObject({ only: true, removed: ['other'], servers: [{ name: 'many', tools: [{}] }] })
  link.catalogChanged()
  link.catalogChanged()
  await system.advance(0)
  expect(peer.all('catalog')).toHaveLength(count + 2)
})

const PART_BYTES = 262_144
const parsed = (frames: readonly Buffer[]) => frames.map((frame) => JSON.parse(String(frame)))

test('[LINK.6] fills a part to its last byte, and begins the next with one byte more', () => {
  const server = readyWith('s', [])
  const plain = (chars: number) => catalogTool({ name: 't', description: 'x'.repeat(chars) })
  const freeBytes = PART_BYTES - serverBytes(server) - toolText(plain(0)).length
  const partsWith = (chars: number) => catalogFrames([{ ...server, tools: [plain(chars)] }]).length
  expect([partsWith(freeBytes), partsWith(freeBytes + 1)]).toEqual([1, 2])
})

test('[LINK.6] adds the tools of a server to its entry', () => {
  const [part] = parsed(catalogFrames([readyWith('s', [toolOf('a', 10), toolOf('b', 10)])]))
  expect(part.servers).toHaveLength(1)
})

test('[LINK.6] begins with a server that is larger than a part, and has no empty part', () => {
  const large = readyServer('large', [toolOf('t', 10)], { instructions: 'x'.repeat(PART_BYTES) })
  const parts = parsed(catalogFrames([large]))
  expect(parts.map(({ servers }) => servers.map(({ tools }: ReadyServer) => tools.length))).toEqual([
    [0],
    [1],
  ])
  expect(parts[1].servers[0]).toMatchObject({ serverInfo: { name: '', version: '' } })
})

test('[LINK.6] names the servers that are gone in the first part only, and alone if nothing else has changed', () => {
  const report = new CatalogReport()
  report.frames([readyWith('gone', []), { state: 'starting', name: 'other' }])
  expect(parsed(report.frames([{ state: 'starting', name: 'other' }]))).toEqual([
    { type: 'catalog', servers: [], only: true, removed: ['gone'] },
  ])
  const many = readyWith('many', [toolOf('a', 200_000), toolOf('b', 200_000)])
  const parts = parsed(report.frames([many]))
  expect(parts.map(({ removed, more }) => [removed, more])).toEqual([
    [['other'], true],
    [[], undefined],
  ])
  expect(report.frames([many])).toEqual([])
})
