import { expect, test } from 'vitest'
import { NameFinder, ownNames } from '../../src/gates/own-names.ts'

test('[ORIGIN.5] knows a loopback bridge by each loopback name, its own first', () => {
  expect(ownNames(['http://127.0.0.1:8787'])).toEqual([
    'http://127.0.0.1:8787',
    'http://localhost:8787',
    'http://[::1]:8787',
  ])
  expect(ownNames(['https://localhost/under'])).toEqual([
    'https://localhost/under',
    'https://127.0.0.1/under',
    'https://[::1]/under',
  ])
})

test('[ORIGIN.5] knows any other bridge by its public URLs only', () => {
  const urls = ['https://bridge.example', 'http://host.docker.internal:8787', 'http://127.0.0.2:8787']
  expect(ownNames(urls)).toEqual(urls)
  expect(ownNames(['https://bridge.example', 'http://localhost:1'])).toEqual([
    'https://bridge.example',
    'http://localhost:1',
    'http://127.0.0.1:1',
    'http://[::1]:1',
  ])
  expect(ownNames([])).toEqual([])
  expect(() => ownNames(['nonsense'])).toThrow(TypeError)
})

const finder = new NameFinder([
  'https://bridge.example',
  'http://bridge.example',
  'http://127.0.0.1:8787',
  'https://apps.example/one',
  'https://apps.example/two',
])

test.each<[string | undefined, string]>([
  ['bridge.example', 'https://bridge.example'],
  ['Bridge.Example:443', 'https://bridge.example'],
  ['bridge.example:80', 'http://bridge.example'],
  ['127.0.0.1:8787', 'http://127.0.0.1:8787'],
  ['apps.example', 'https://apps.example/one'],
  ['127.0.0.1', 'https://bridge.example'],
  ['evil.example', 'https://bridge.example'],
  ['', 'https://bridge.example'],
  [undefined, 'https://bridge.example'],
])('[RS.8] maps a request for the host %s to %s, and adds no name for a host', (host, name) => {
  expect(finder.at(host)).toBe(name)
})

test('[RS.8] inserts a public URL’s path between host and path', () => {
  const within = (host: string | undefined, path: string) => finder.within(host, path)
  expect(within('apps.example', '/two/mcp')).toEqual({ name: 'https://apps.example/two', path: '/mcp' })
  expect(within('apps.example', '/one')).toEqual({ name: 'https://apps.example/one', path: '' })
  expect(within('apps.example', '/mcp')).toEqual({ name: 'https://apps.example/one', path: '/mcp' })
  expect(within('apps.example', '/twofold')).toEqual({ name: 'https://apps.example/one', path: '/twofold' })
  expect(within('bridge.example', '/one')).toEqual({ name: 'https://bridge.example', path: '/one' })
  expect(within(undefined, '')).toEqual({ name: 'https://bridge.example', path: '' })
  const under = new NameFinder(['https://apps.example/under'])
  expect(under.within('10.0.0.1', '/under/mcp')).toEqual({ name: 'https://apps.example/under', path: '/mcp' })
})

test('[RS.8] finds no name for a bridge without one', () => {
  expect(new NameFinder([]).at('bridge.example')).toBe('')
})
