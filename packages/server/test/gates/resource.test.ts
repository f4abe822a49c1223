import { expect, test } from 'vitest'
import { resourceGate } from '../../src/gates/resource.ts'

const URLS = ['https://bridge.example.com', 'https://b.example/under']

test.each<[string | undefined, string]>([
  [undefined, '/mcp'],
  ['https://bridge.example.com/mcp', '/mcp'],
  ['https://b.example/under/mcp', '/mcp'],
  ['https://bridge.example.com/mcp/my%20files', '/mcp/my%20files'],
  ['https://bridge.example.com/mcp/files', '/mcp/%66iles'],
  ['https://bridge.example.com/api/mcp-ws', '/api/mcp-ws'],
])('[RS.4] a token for %s is good at %s', (resource, path) => {
  expect(resourceGate(resource, path, URLS)).toMatchObject({ allowed: true })
})

test.each<[string, string]>([
  ['https://bridge.example.com/mcp', '/mcp/files'],
  ['https://bridge.example.com/mcp/files', '/mcp'],
  ['https://bridge.example.com/mcp/files', '/mcp/Files'],
  ['https://bridge.example.com/mcp/files', '/mcp/files/'],
  ['https://bridge.example.com/mcp', '/api/mcp-ws'],
  ['https://bridge.example.com/api/mcp-ws', '/mcp'],
  ['https://other.example/mcp', '/mcp'],
  ['', '/mcp'],
  ['/mcp', '/mcp'],
  ['https://bridge.example.com/mcp/%ff', '/mcp/%fe'],
])('[RS.4] a token for %s is refused at %s', (resource, path) => {
  expect(resourceGate(resource, path, URLS)).toMatchObject({ code: 'token_invalid' })
})
