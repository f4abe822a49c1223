import { expect, test } from 'vitest'
import {
  agentResource,
  canonicalResource,
  enrolmentResource,
  isMcpResource,
  mcpResource,
  resourceGate,
} from '../../src/gates/resource.ts'

const URLS = ['https://bridge.example.com', 'https://b.example/under']

test.each<[string | undefined, string]>([
  [undefined, '/mcp'],
  ['https://bridge.example.com/mcp', '/mcp'],
  ['https://b.example/under/mcp', '/mcp'],
  ['https://bridge.example.com/mcp/my%20files', '/mcp/my%20files'],
  ['https://bridge.example.com/mcp/files', '/mcp/%66iles'],
  ['https://bridge.example.com/mcp/files', '/mcp/files/'],
  ['https://bridge.example.com/api/mcp-ws', '/api/mcp-ws'],
])('[RS.4] accepts a token for %s at %s', (resource, path) => {
  expect(resourceGate(resource, path, URLS)).toMatchObject({ allowed: true })
})

test.each<[string, string]>([
  ['https://bridge.example.com/mcp', '/mcp/files'],
  ['https://bridge.example.com/mcp/files', '/mcp'],
  ['https://bridge.example.com/mcp/files', '/mcp/Files'],
  ['https://bridge.example.com/mcp/files', '/mcp/x/../files'],
  ['https://bridge.example.com/mcp', '/api/mcp-ws'],
  ['https://bridge.example.com/api/mcp-ws', '/mcp'],
  ['https://other.example/mcp', '/mcp'],
  ['', '/mcp'],
  ['/mcp', '/mcp'],
  ['https://bridge.example.com/mcp/%ff', '/mcp/%fe'],
])('[RS.4] refuses a token for %s at %s', (resource, path) => {
  expect(resourceGate(resource, path, URLS)).toMatchObject({ code: 'token_invalid' })
})

test('[RS.4] names the bridge’s resources under its address, each in one spelling', () => {
  const url = 'https://b.example/under'
  expect(agentResource(url)).toBe('https://b.example/under/api/mcp-ws')
  expect(enrolmentResource(url)).toBe('https://b.example/under/api/devices')
  const good = ['/mcp', '/mcp/files', '/mcp/my%20files']
  const bad = ['/mcp/', '/mcp/%66iles', '/mcp/a/b', '/mcp/%ff', '/mcp?x', '/mcpx', '/api/devices', '']
  expect([...good, ...bad].filter((path) => isMcpResource(url, url + path))).toEqual(good)
  expect(isMcpResource(url, 'https://b.example/mcp')).toBe(false)
})

test.each<[string, string | undefined]>([
  ['https://bridge.example.com/mcp', '/mcp'],
  ['HTTPS://Bridge.Example.COM:443/mcp', '/mcp'],
  ['https://bridge.example.com/mcp/', '/mcp'],
  ['https://bridge.example.com/mcp?utm_source=x', '/mcp'],
  ['https://bridge.example.com', '/mcp'],
  ['https://bridge.example.com/', '/mcp'],
  ['https://b.example/under', '/mcp'],
  ['https://b.example/under/', '/mcp'],
  ['https://b.example/under/mcp/my%20files/', '/mcp/my%20files'],
  ['https://b.example/under/mcp/%66iles', '/mcp/files'],
  ['https://bridge.example.com/mcp/./files', '/mcp/files'],
  ['https://bridge.example.com/api/devices', '/api/devices'],
  ['https://bridge.example.com/MCP', '/MCP'],
  ['https://bridge.example.com/mcp#part', undefined],
  ['https://bridge.example.com/mcp//files', undefined],
  ['https://bridge.example.com/mcp/%ff', undefined],
  ['https://user@bridge.example.com/mcp', undefined],
  ['https://bridge.example.com\\mcp', undefined],
  ['https://bridge.example.com/m cp', undefined],
  ['http://bridge.example.com/mcp', undefined],
  ['https://bridge.example.com:8443/mcp', undefined],
  ['https://b.example/underneath/mcp', undefined],
  ['https://b.example/mcp', undefined],
  ['https://other.example/mcp', undefined],
  ['/mcp', undefined],
  ['', undefined],
])('[OAUTH.5] the canonical spelling of the resource %s is %s under the first name', (asked, path) => {
  const canonical = canonicalResource(URLS, asked)
  expect(canonical).toBe(path === undefined ? undefined : `https://bridge.example.com${path}`)
})

test('[OAUTH.5] names no resources for a bridge without a name', () => {
  expect(canonicalResource([], 'https://bridge.example.com/mcp')).toBeUndefined()
  expect(mcpResource('https://bridge.example.com')).toBe('https://bridge.example.com/mcp')
})
