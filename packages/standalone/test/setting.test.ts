import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { serveSettings } from '../src/config/serve-settings.ts'
import { SECRETS, SERVE } from '../src/config/serve-table.ts'

const read = (flags: Record<string, unknown>, env: Record<string, string> = {}) =>
  serveSettings({ flags, env })

test.each([
  [{ port: 'abc' }, {}, '--port must be a number from 0 to 65535, got "abc".'],
  [{}, { PORT: 'abc' }, 'PORT must be a number from 0 to 65535, got "abc".'],
  [{ port: '' }, {}, '--port must be a number from 0 to 65535, got "".'],
  [{}, { PORT: '65536' }, 'PORT must be a number from 0 to 65535, got "65536".'],
  [{}, { PORT: '1e3' }, 'PORT must be a number from 0 to 65535, got "1e3".'],
  [{ tls: 'on' }, {}, '--tls must be one of required, terminated-by-proxy, off, got "on".'],
  [
    {},
    { BRIDGEKEEPER_ALLOWED_ORIGINS: 'https://a.example,*' },
    /^BRIDGEKEEPER_ALLOWED_ORIGINS must be an origin.*, got "\*"\.$/,
  ],
  [{}, { BRIDGEKEEPER_RATE_LIMIT: '100' }, /^BRIDGEKEEPER_RATE_LIMIT must be COUNT.*, got "100"\.$/],
  [
    {},
    { BRIDGEKEEPER_CALL_TIMEOUT_MS: '1s' },
    'BRIDGEKEEPER_CALL_TIMEOUT_MS must be a number of milliseconds from 1 to 86400000, got "1s".',
  ],
  [{}, { BRIDGEKEEPER_SSO_CREATE: 'yes' }, 'BRIDGEKEEPER_SSO_CREATE must be 1 or 0, got "yes".'],
  [
    {},
    { BRIDGEKEEPER_JWT_ISSUER: 'i' },
    /^BRIDGEKEEPER_JWKS_URL and BRIDGEKEEPER_JWT_AUDIENCE must also be set/,
  ],
] as const)(
  '[CLI.24] names the flag or variable, the allowed values and the given one: %j %j',
  (flags, env, message) => {
    expect(() => read(flags, env)).toThrow(message)
    expect(() => read(flags, env)).toThrow(
      expect.objectContaining({ code: 'setting_invalid', next: expect.stringMatching(/\w/) }),
    )
  },
)

test.each([
  [{ publicUrl: ['https://ann:hunter2@a.example'] }, {}],
  [{}, { BRIDGEKEEPER_SSO_ISSUER: 'http://ann:hunter2@a.example' }],
  [{}, { BRIDGEKEEPER_JWKS_URL: 'ftp://hunter2@a.example' }],
])('[CLI.26] does not repeat an address that may contain a password: %#', (flags, env) => {
  expect(() => read(flags, env)).toThrow(/must be an (?:http\(s\) URL|https address)/)
  expect(() => read(flags, env)).not.toThrow('hunter2')
})

test('[CLI.24] every default is valid, and each flag and variable belongs to one setting', () => {
  const settings = Object.values({ ...SERVE, ...SECRETS })
  expect(() => read({})).not.toThrow()
  for (const key of ['flag', 'variable'] as const) {
    const given = settings.flatMap((setting) => setting[key] ?? [])
    expect(new Set(given).size).toBe(given.length)
  }
})

test('[CLI.26] reads a secret from its variable, else from its file, which must not be empty', () => {
  const file = join(scratch(), 'secret')
  writeFileSync(file, 'of the file\n', { mode: 0o600 })
  const secret = (env: Record<string, string>) => SECRETS.databaseUrl.read({ flags: {}, env })
  expect(secret({})).toBeUndefined()
  expect(secret({ DATABASE_URL_FILE: file })).toBe('of the file')
  expect(secret({ DATABASE_URL: '', DATABASE_URL_FILE: file })).toBe('of the file')
  expect(secret({ DATABASE_URL: 'of the variable', DATABASE_URL_FILE: file })).toBe('of the variable')
  writeFileSync(file, '\n')
  expect(() => secret({ DATABASE_URL_FILE: file })).toThrow(
    expect.objectContaining({ code: 'secret_unreadable', message: `DATABASE_URL_FILE ${file} is empty.` }),
  )
  expect(() => secret({ DATABASE_URL_FILE: `${file}-none` })).toThrow(
    expect.objectContaining({ code: 'secret_unreadable', message: expect.stringContaining('ENOENT') }),
  )
})
