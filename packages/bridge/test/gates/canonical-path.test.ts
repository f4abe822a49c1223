import { expect, test } from 'vitest'
import { canonicalPath, canonicalTarget, rewriteTarget } from '../../src/gates/canonical-path.ts'

test.each([
  ['/mcp', '/mcp'],
  ['/', '/'],
  ['/mcp/', '/mcp'],
  ['/oauth/register/', '/oauth/register'],
  ['/oauth/%72egister', '/oauth/register'],
  ['/oauth/%72%65gister/', '/oauth/register'],
  ['/.well-known/oauth-protected-resource/mcp/', '/.well-known/oauth-protected-resource/mcp'],
  ['/mcp/my%20files', '/mcp/my%20files'],
  ['/mcp/a%2fb', '/mcp/a%2Fb'],
  ['/mcp/a%252Fb', '/mcp/a%252Fb'],
  ['/mcp/gr%c3%b6%C3%9fe', '/mcp/gr%C3%B6%C3%9Fe'],
  ['/mcp/a+b', '/mcp/a%2Bb'],
  ['/mcp/a(b)!', '/mcp/a(b)!'],
  ['/mcp/a%28b%29%21', '/mcp/a(b)!'],
  ['/mcp/...', '/mcp/...'],
  ['/oauth/Register', '/oauth/Register'],
])('[PATH.1] spells %s as %s', (written, canonical) => {
  expect(canonicalPath(written)).toBe(canonical)
  expect(canonicalPath(canonical)).toBe(canonical)
})

test.each([
  '',
  '*',
  'mcp',
  '//',
  '//mcp',
  '/mcp//',
  '/oauth//register',
  '/oauth/./register',
  '/oauth/x/../register',
  '/oauth/..',
  '/oauth/%2e/register',
  '/oauth/x/%2E%2e/register',
  '/oauth\\register',
  '/oauth/register;x#y',
  '/mcp/%',
  '/mcp/%zz',
  '/mcp/%ff',
  '/mcp/a b',
  '/mcp/a\tb',
  '/mcp/größe',
  'http://bridge.example.com/oauth/register',
  'bridge.example.com:443',
])('[PATH.1] refuses %j as without a canonical spelling', (written) => {
  expect(canonicalPath(written)).toBeUndefined()
  expect(canonicalTarget(written)).toBeUndefined()
})

test('[PATH.1] keeps the query as received, and takes no path from it', () => {
  expect(canonicalTarget('/login/?returnTo=%2Fa//../b?c')).toEqual({
    path: '/login',
    query: '?returnTo=%2Fa//../b?c',
  })
  expect(canonicalTarget('/mcp?')).toEqual({ path: '/mcp', query: '?' })
  expect(canonicalTarget('/mcp')).toEqual({ path: '/mcp', query: '' })
  for (const url of ['/mcp?a#b', '/mcp?a b', '/mcp?\u00ff', '?a', '/mcp/%ff?a'])
    expect(canonicalTarget(url), url).toBeUndefined()
})

test('[PATH.1] rewrites a request to its canonical target', () => {
  const request = { url: '/oauth/%72egister/?a=b' }
  rewriteTarget(request, { path: '/oauth/register', query: '?a=b' })
  expect(request.url).toBe('/oauth/register?a=b')
  rewriteTarget(request, { path: '/oauth/register', query: '?a=b' })
  expect(request.url).toBe('/oauth/register?a=b')
})

test('[PATH.1] treats an absolute-form target for the request’s host as the same path', () => {
  const read = (target: string, host: string | undefined = 'bridge.example:8443') =>
    canonicalTarget(target, host)
  expect(read('http://bridge.example:8443/mcp/notes/?a=b')).toEqual({ path: '/mcp/notes', query: '?a=b' })
  expect(read('HTTPS://Bridge.Example:8443/mcp')).toEqual({ path: '/mcp', query: '' })
  expect(read('http://bridge.example:8443')).toEqual({ path: '/', query: '' })
  expect(read('http://bridge.example:8443?a')).toEqual({ path: '/', query: '?a' })
  for (const other of [
    'http://other.example/mcp',
    'http://bridge.example/mcp',
    'http://user@bridge.example:8443/mcp',
    'http:///mcp',
    'ftp://bridge.example:8443/mcp',
    'http://bridge.example:8443#/mcp',
    'http://bridge.example:8443\\/mcp',
    'http://bridge.example:8443//mcp',
    '*',
    'mcp',
  ])
    expect(read(other), other).toBeUndefined()
  expect(canonicalTarget('http://bridge.example/mcp')).toBeUndefined()
})
