import { expect, test } from 'vitest'
import { readBridgeUrl } from '../src/index.ts'

test.each([
  ['https://bridge.example.com', 'https://bridge.example.com/'],
  ['HTTPS://Bridge.Example.com:443/', 'https://bridge.example.com/'],
  ['https://bridge.example.com/mcp', 'https://bridge.example.com/'],
  ['https://bridge.example.com/mcp//', 'https://bridge.example.com/'],
  ['https://bridge.example.com/mcp/files', 'https://bridge.example.com/'],
  ['https://bridge.example.com/mcp/my%20files/', 'https://bridge.example.com/'],
  ['wss://bridge.example.com/api/mcp-ws', 'https://bridge.example.com/'],
  ['ws://localhost:8787', 'http://localhost:8787/'],
  ['https://bridge.example.com/account/', 'https://bridge.example.com/'],
  ['https://bridge.example.com/account/passkeys', 'https://bridge.example.com/account/passkeys'],
  ['https://example.com/under/a/path', 'https://example.com/under/a/path'],
  ['https://example.com/under/mcp/files', 'https://example.com/under'],
  ['https://example.com/mcp/mcp', 'https://example.com/mcp'],
  ['https://example.com/mcp/api/mcp-ws', 'https://example.com/mcp'],
  ['https://example.com/mcp/a/b', 'https://example.com/mcp/a/b'],
  ['https://example.com/mcpx', 'https://example.com/mcpx'],
  ['bridge.example.com', 'https://bridge.example.com/'],
  ['bridge.example.com:8443/mcp', 'https://bridge.example.com:8443/'],
  ['localhost', 'http://localhost/'],
  ['localhost:443', 'http://localhost:443/'],
  ['LOCALHOST:8787', 'http://localhost:8787/'],
  ['localhost:8787', 'http://localhost:8787/'],
  ['127.0.0.1:8787/mcp', 'http://127.0.0.1:8787/'],
  ['[::1]:8787', 'http://[::1]:8787/'],
  ['192.168.1.2:8787', 'https://192.168.1.2:8787/'],
  ['localhost.evil.example', 'https://localhost.evil.example/'],
  ['127.0.0.1.evil.example', 'https://127.0.0.1.evil.example/'],
])('[LINK.34] reads %s as the bridge at %s', (text, address) => {
  expect(readBridgeUrl(text)?.href).toBe(address)
})

test('[LINK.34] keeps extra parts of an address for the caller to refuse', () => {
  expect(readBridgeUrl('https://user:pass@bridge.example.com/mcp?a#b')?.href).toBe(
    'https://user:pass@bridge.example.com/?a#b',
  )
})

test.each([
  '',
  ' ',
  'ftp://bridge.example.com',
  'javascript:alert(1)',
  'user:pass@bridge.example.com',
  '/mcp',
  '//host',
])('[LINK.34] refuses %j as the address of a bridge', (text) => {
  expect(readBridgeUrl(text)).toBeUndefined()
})
