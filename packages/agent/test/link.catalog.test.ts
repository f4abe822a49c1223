import { type CatalogTool, decodeUp, type ReadyServer, toolText } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { catalogTool, readyServer } from '../../../test/support/catalog.ts'
import { catalogFrames } from '../src/link/catalog-frame.ts'
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
