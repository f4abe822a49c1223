import { expect, test } from 'vitest'
import { AgentError } from '../../src/index.ts'
import { bridgeUrl } from '../../src/link/bridge-url.ts'

test.each([
  ['http://127.0.0.1:8787', 'ws://127.0.0.1:8787/api/mcp-ws'],
  ['https://bridge.example.com/', 'wss://bridge.example.com/api/mcp-ws'],
  ['wss://bridge.example.com/api/mcp-ws', 'wss://bridge.example.com/api/mcp-ws'],
  ['wss://bridge.example.com/api/mcp-ws/', 'wss://bridge.example.com/api/mcp-ws'],
  ['https://example.com/under/a/path', 'wss://example.com/under/a/path/api/mcp-ws'],
  ['ws://localhost', 'ws://localhost/api/mcp-ws'],
  ['http://[::1]:1', 'ws://[::1]:1/api/mcp-ws'],
  ['https://bridge.example.com/mcp', 'wss://bridge.example.com/api/mcp-ws'],
  ['http://127.0.0.1:8787/mcp/files', 'ws://127.0.0.1:8787/api/mcp-ws'],
  ['bridge.example.com', 'wss://bridge.example.com/api/mcp-ws'],
  ['localhost:8787', 'ws://localhost:8787/api/mcp-ws'],
])('[LINK.1] resolves the address of the bridge: %s', (given, dialled) => {
  expect(bridgeUrl(given, false)).toBe(dialled)
})

test.each([
  ['', 'url_invalid'],
  ['user:pass@bridge.example.com', 'url_invalid'],
  ['bridge.example.com/?token=t', 'url_credentials'],
  ['ftp://bridge.example.com', 'url_invalid'],
  ['https://user:pass@bridge.example.com', 'url_credentials'],
  ['https://bridge.example.com/?token=t', 'url_credentials'],
  ['https://bridge.example.com/#t', 'url_credentials'],
  ['ws://bridge.example.com', 'url_insecure'],
  ['http://192.168.1.2', 'url_insecure'],
  ['http://localhost.evil.example', 'url_insecure'],
  ['http://127.0.0.1.evil.example', 'url_insecure'],
  ['http://evil.example/localhost', 'url_insecure'],
])('[LINK.1] refuses the address %s', (given, code) => {
  const refuse = () => bridgeUrl(given, false)
  expect(refuse).toThrow(AgentError)
  expect(refuse).toThrow(expect.objectContaining({ code }))
  if (given !== '') expect(refuse).not.toThrow(given)
})

test('[LINK.1] refuses a network in the clear unless allowed', () => {
  expect(bridgeUrl('http://bridge.example.com', true)).toBe('ws://bridge.example.com/api/mcp-ws')
})
