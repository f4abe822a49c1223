import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addReachFlags, reachOptions } from '../src/serve-options.ts'

function parsed(line: string, env: Record<string, string> = {}) {
  const command = addReachFlags(new Command())
  command.parse(line === '' ? [] : line.split(' '), { from: 'user' })
  return reachOptions(command.opts(), env)
}

test('[CLI.15] serve takes each flag from the command line, else from the environment', () => {
  const env = {
    BRIDGEKEEPER_TLS_CERT: 'c',
    BRIDGEKEEPER_TLS_KEY: 'k',
    BRIDGEKEEPER_TLS: 'required',
    BRIDGEKEEPER_TRUSTED_PROXIES: '10.0.0.0/8, ::1,',
    BRIDGEKEEPER_PUBLIC_URLS: 'https://a',
    BRIDGEKEEPER_ALLOWED_ORIGINS: 'https://b,https://c',
  }
  expect(parsed('', env)).toEqual({
    tls: { certFile: 'c', keyFile: 'k' },
    tlsMode: 'required',
    trustedProxies: ['10.0.0.0/8', '::1'],
    publicUrls: ['https://a'],
    allowedOrigins: ['https://b', 'https://c'],
  })
  const line =
    '--tls-cert x --tls-key y --tls off --trusted-proxy 1.1.1.1 --trusted-proxy 2.2.2.2 --public-url https://d --allow-origin https://e'
  expect(parsed(line, env)).toEqual({
    tls: { certFile: 'x', keyFile: 'y' },
    tlsMode: 'off',
    trustedProxies: ['1.1.1.1', '2.2.2.2'],
    publicUrls: ['https://d'],
    allowedOrigins: ['https://e'],
  })
  expect(parsed('', { BRIDGEKEEPER_TLS: ' ' })).toEqual({
    trustedProxies: [],
    publicUrls: [],
    allowedOrigins: [],
  })
})

test('[CLI.15] a certificate without a key, or a key without a certificate, is told', () => {
  for (const line of ['--tls-cert c', '--tls-key k'])
    expect(() => parsed(line)).toThrow(expect.objectContaining({ code: 'usage', next: expect.any(String) }))
})
