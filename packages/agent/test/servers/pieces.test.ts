import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cleanText, codes } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { serverEnvironment } from '../../src/servers/environment.ts'
import { describeEnd, isMissing } from '../../src/servers/reasons.ts'
import { cutHider, hide } from '../../src/servers/secrets.ts'
import { StderrReader } from '../../src/servers/stderr-reader.ts'
import { failure } from '../../src/servers/tool-call.ts'

test('[PROC.7] hides each value of six characters or more wherever it occurs, the longest first', () => {
  expect(hide('abcdef and abcdef', ['abcdef'])).toBe('[hidden] and [hidden]')
  expect(hide('abcde', ['abcde'])).toBe('abcde')
  expect(hide('abcdefgh abcdef', ['abcdef', 'abcdefgh'])).toBe('[hidden] [hidden]')
  expect(hide('line-one, line-two, x', ['line-one\nline-two\nx'])).toBe('[hidden], [hidden], x')
  expect(hide('line-one\nline-two', ['line-one\nline-two'])).toBe('[hidden]')
  expect(hide('text', [])).toBe('text')
})

test('[PROC.6] shows standard error line by line, cleaned and without secrets', () => {
  const lines: string[] = []
  const reader = new StderrReader(['secret-1'], (line) => lines.push(line))
  reader.push(Buffer.from('one\ntwo secret-1\u001b['))
  reader.push(Buffer.from('31m\nthree'))
  expect(lines).toEqual(['one', 'two [hidden] [31m'])
  expect(reader.tail()).toContain('three')
})

test('[PROC.6] keeps the last 600 characters of any standard error', () => {
  const lines: string[] = []
  const reader = new StderrReader(['secret-1'], (line) => lines.push(line))
  expect(reader.tail()).toBe('')
  reader.push(Buffer.from(`  ${'a'.repeat(10_000)} secret-1 ${'b'.repeat(500)}\n`))
  expect(reader.tail()).toBe(
    ` secret-1 ${'b'.repeat(500)}`.replace('secret-1', '[hidden]').padStart(600, 'a'),
  )
  reader.push(Buffer.from('c'.repeat(599)))
  expect(reader.tail()).toHaveLength(600)
  expect(reader.tail().endsWith('c'.repeat(599))).toBe(true)
  // Skips a line that is too long to show, and shows the next one.
  reader.push(Buffer.from(`${'d'.repeat(70_000)}\n`))
  reader.push(Buffer.from('e\n'))
  expect(lines.at(-1)).toBe('e')
})

const random = (bytes: number): string => randomBytes(bytes).toString('base64url')
const LONG_SECRETS = {
  'a PEM in one line': `-----BEGIN PRIVATE KEY-----${random(3_600)}-----END PRIVATE KEY-----`,
  'a JWT of 5 KiB': `${random(30)}.${random(3_700)}.${random(64)}`,
  'an environment value of 20 KiB': `päss ${random(15_000)} wörd`,
  'a PEM of many lines': Array.from({ length: 90 }, () => random(48)).join('\n'),
}

test.each(Object.entries(LONG_SECRETS))(
  '[PROC.7] %s leaves no part of itself in the last standard error, wherever it is cut',
  (_, secret) => {
    for (const behind of [0, 1, 7, 100, 599, 600, 3_000, 4_088, 4_090, 4_095]) {
      const reader = new StderrReader([secret], () => {})
      reader.push(Buffer.from(`before ${secret}`))
      reader.push(Buffer.from('+'.repeat(behind)))
      expect(partsIn(reader.tail(), secret)).toEqual([])
      // A server that is killed while it writes.
      const killed = new StderrReader([secret], () => {})
      killed.push(Buffer.from(`before ${secret.slice(0, behind + 10)}`))
      expect(partsIn(killed.tail(), secret)).toEqual([])
    }
  },
)

test('[PROC.7] hides a part of a secret at an end of a cut text, and keeps other text', () => {
  const hideCut = cutHider(['abcdefghijkl'])
  expect(hideCut('ghijkl x abcdefghijkl x abcdef')).toBe('[hidden] x [hidden] x [hidden]')
  expect(hideCut('hijkl x abcde')).toBe('hijkl x abcde')
  expect(hideCut('bcdefghijk')).toBe('[hidden]')
  expect(hideCut('x ghijkl x')).toBe('x ghijkl x')
  expect(hideCut('\ufffdghijkl x')).toBe('[hidden] x')
})

/** Every run of eight characters of a text that also occurs in the secret. */
function partsIn(text: string, secret: string): readonly string[] {
  return Array.from({ length: Math.max(0, text.length - 7) }, (_, at) => text.slice(at, at + 8)).filter(
    (part) => secret.includes(part),
  )
}

test('[PROC.6] keeps text written in many small pieces as if written at once', () => {
  const reader = new StderrReader([], () => {})
  for (let n = 0; n < 3_000; n++) reader.push(Buffer.from(`${String(n).padStart(4, '0')} `))
  expect(reader.tail()).toMatch(/^(\d{4} )*\d{0,4} ?(\d{4} )*2999$/)
  expect(reader.tail().length).toBe(600)
})

const envOf = (env: NodeJS.ProcessEnv, entry: Parameters<typeof serverEnvironment>[1], on: NodeJS.Platform) =>
  serverEnvironment(env, entry, on).env

test('[PROC.1] gives a server the listed variables of its system, and its own before them', () => {
  const env = { HOME: '/h', PATH: '/bin', SECRET: 'x', APPDATA: 'a', TZ: undefined, USER: 'u' }
  expect(envOf(env, { env: { KEY: 'k', HOME: '/own' } }, 'linux')).toStrictEqual({
    HOME: '/own',
    PATH: '/bin',
    USER: 'u',
    KEY: 'k',
  })
  expect(envOf(env, { env: {} }, 'win32')).toEqual({ PATH: '/bin', APPDATA: 'a' })
  expect(envOf(env, { env: {} }, 'darwin')).toEqual({ HOME: '/h', PATH: '/bin', USER: 'u' })
})

const NETWORK =
  'ALL_PROXY HTTP_PROXY HTTPS_PROXY NO_PROXY all_proxy http_proxy https_proxy no_proxy AWS_CA_BUNDLE ' +
  'CARGO_HTTP_CAINFO CURL_CA_BUNDLE DENO_CERT GIT_SSL_CAINFO NIX_SSL_CERT_FILE NODE_EXTRA_CA_CERTS ' +
  'NODE_USE_ENV_PROXY NODE_USE_SYSTEM_CA PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_DIR SSL_CERT_FILE UV_NATIVE_TLS ' +
  'UV_SYSTEM_CERTS npm_config_cafile npm_config_https_proxy npm_config_noproxy npm_config_proxy'

test('[PROC.1] gives a server exactly these variables of the agent', () => {
  const every = (platform: NodeJS.Platform) =>
    Object.keys(envOf(new Proxy({}, { get: (_, name) => String(name) }), { env: {} }, platform)).join(' ')
  expect(every('linux')).toBe(`HOME LANG LC_ALL LOGNAME PATH SHELL TERM TMPDIR TZ USER ${NETWORK}`)
  // Names differ only in case, so the lower-case ones replace the others.
  expect(every('win32').toUpperCase()).toBe(
    'APPDATA COMSPEC HOMEDRIVE HOMEPATH LOCALAPPDATA PATH PATHEXT PROCESSOR_ARCHITECTURE PROGRAMDATA PROGRAMFILES ' +
      'SYSTEMDRIVE SYSTEMROOT TEMP TMP USERNAME USERPROFILE ' +
      NETWORK.replace('all_proxy http_proxy https_proxy no_proxy ', '').toUpperCase(),
  )
})

test('[PROC.17] gives a server the variables that its entry lists, but never the agent’s settings', () => {
  const env = {
    XDG_DATA_HOME: '/d',
    XDG_CACHE_HOME: '/c',
    DOCKER_HOST: 'unix:///x',
    BRIDGEKEEPER_TOKEN: 't',
    bridgekeeper_key: 'k',
    MY_BRIDGEKEEPER_X: 'my',
    X: 'x',
  }
  const inheritEnv = [
    'XDG_*',
    'DOCKER_HOST',
    'BRIDGEKEEPER_*',
    'BRIDGEKEEPER_TOKEN',
    'bridge*',
    'MY_*',
    'NOT_SET',
  ]
  expect(serverEnvironment(env, { env: { DOCKER_HOST: 'own' }, inheritEnv }, 'linux')).toEqual({
    env: { XDG_DATA_HOME: '/d', XDG_CACHE_HOME: '/c', DOCKER_HOST: 'own', MY_BRIDGEKEEPER_X: 'my' },
    secrets: ['/d', '/c', 'unix:///x', 'my'],
  })
})

test('[PROC.17] finds a proxy’s password with or without a scheme, and in no path', () => {
  const secretsOf = (proxy: string) => serverEnvironment({ HTTPS_PROXY: proxy }, { env: {} }, 'linux').secrets
  expect(secretsOf('ann:word@proxy:1')).toEqual(['ann:word', 'word', 'word'])
  expect(secretsOf('http://ann:w@rd@proxy:1')).toEqual(['ann:w@rd', 'w@rd', 'w@rd'])
  for (const none of ['http://proxy:1', 'proxy:1', 'http://proxy:1/a@b', 'http://proxy/x/ann:word@y'])
    expect(secretsOf(none), none).toEqual([])
})

test('[PROC.17] passes a proxy’s password to the server, and hides it in all output', () => {
  const proxy = 'http://ann:s3cr3t%20word@proxy.example:3128'
  const { env, secrets } = serverEnvironment({ HTTPS_PROXY: proxy, NO_PROXY: 'a:1' }, { env: {} }, 'linux')
  expect(env).toEqual({ HTTPS_PROXY: proxy, NO_PROXY: 'a:1' })
  expect(hide(`CONNECT ${proxy} with s3cr3t%20word`, secrets)).toBe(
    'CONNECT http://[hidden]@proxy.example:3128 with [hidden]',
  )
})

test.each([
  ['http://ann:p@ssw0rd@proxy.example', 'http://[hidden]@proxy.example p@ssw0rd'],
  ['http://t0ken-alone@proxy.example', 'http://[hidden]@proxy.example t0ken-alone'],
  ['ann:s3cr3t%21%2Fx@proxy.example:3128', '[hidden]@proxy.example:3128 s3cr3t!/x'],
  ['http://ann:s3cr3t%@proxy.example', 'http://[hidden]@proxy.example s3cr3t%'],
])('[PROC.17] hides a proxy’s password in any form: %s', (proxy, printed) => {
  const { secrets } = serverEnvironment({ HTTPS_PROXY: proxy }, { env: {} }, 'linux')
  const [url = '', password = ''] = printed.split(' ')
  expect(hide(`${proxy} ${password}`, secrets)).toBe(`${url} [hidden]`)
})

test('[PROC.1] treats Windows variable names as case-insensitive', () => {
  expect(envOf({ PATH: 'a' }, { env: { Path: 'b' } }, 'win32')).toEqual({ Path: 'b' })
})

test('[PROC.3] [PROC.4] explains to the user why a server is unavailable', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pieces-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const spec = { command: 'npx', args: [], env: {}, cwd: folder }
  const missing = { kind: 'not-started', errno: 'ENOENT' } as const
  const denied = { kind: 'not-started', errno: 'EACCES' } as const
  const exited = { kind: 'exited', exitCode: 3 } as const
  const killed = { kind: 'killed', signal: 'SIGTERM' } as const
  const broken = { kind: 'broken', detail: 'it lied' } as const
  expect(describeEnd(exited, spec, 'starting')).toBe('It ended during its start with exit code 3.')
  expect(describeEnd(exited, spec, 'ready')).toBe('It ended with exit code 3.')
  const atOnce = { kind: 'exited', exitCode: 0 } as const
  expect(describeEnd(atOnce, spec, 'ready')).toBe('It ended with exit code 0.')
  expect(describeEnd(atOnce, spec, 'starting')).toMatch(
    /^It ended during its start with exit code 0\. .*keep running.*docker needs "-i"\.$/,
  )
  expect(describeEnd(killed, spec, 'starting')).toBe('It was ended during its start by SIGTERM.')
  expect(describeEnd(killed, spec, 'ready')).toBe('It was ended by SIGTERM.')
  expect(describeEnd(broken, spec, 'ready')).toBe('It was stopped, because it lied.')
  expect(describeEnd(denied, spec, 'starting')).toBe(
    'The program "npx" is not executable (EACCES). Make it executable.',
  )
  const batch = { kind: 'not-started', errno: 'EBATCH' } as const
  expect(describeEnd(batch, spec, 'starting')).toContain('is a batch file, and an argument has a quote')
  const large = { kind: 'not-started', errno: 'E2BIG' } as const
  expect(describeEnd(large, spec, 'starting')).toBe('The program "npx" could not be started (E2BIG).')
  const notFound = 'The program "npx" was not found. Install it, or correct "command".'
  expect(describeEnd(missing, spec, 'starting')).toBe(notFound)
  expect(describeEnd(missing, { command: 'npx', args: [], env: {} }, 'starting')).toBe(notFound)
  const gone = { ...spec, cwd: join(folder, 'no') }
  expect(describeEnd(missing, gone, 'starting')).toBe(`Its folder "${join(folder, 'no')}" does not exist.`)
  expect(describeEnd(missing, { ...spec, command: './gone.sh' }, 'starting')).toContain(
    `The program "./gone.sh" was not found in the folder "${folder}".`,
  )
  expect(describeEnd(missing, { command: './gone.sh', args: [], env: {} }, 'starting')).toContain(
    `was not found in the folder "${process.cwd()}". Correct "command"`,
  )
  const absolute = join(folder, 'gone')
  expect(describeEnd(missing, { ...spec, command: absolute }, 'starting')).toBe(
    `The program "${absolute}" was not found. Install it, or correct "command".`,
  )
  const file = join(folder, 'run.sh')
  writeFileSync(file, '#!/no/such/interpreter\n')
  const inFile = { ...spec, cwd: file }
  expect(describeEnd({ kind: 'not-started', errno: 'ENOTDIR' }, inFile, 'starting')).toBe(
    `Its folder "${file}" is a file. Correct "cwd".`,
  )
  expect(describeEnd(denied, { ...spec, command: folder }, 'starting')).toBe(
    `The program "${folder}" is a folder. Correct "command".`,
  )
  expect(describeEnd(missing, { ...spec, command: './run.sh' }, 'starting')).toContain(
    'exists, but the interpreter in its first line (#!) was not found',
  )
  expect([missing, denied, exited, killed, broken].map(isMissing)).toEqual([true, false, false, false, false])
})

test
  .skipIf(process.platform === 'win32')
  .each(['npx.cmd', 'CMD', 'powershell', 'uvx.exe', 'C:\\Program Files\\nodejs\\node.exe'])(
  '[PROC.3] says that %s exists on Windows only',
  (command) => {
    const missing = { kind: 'not-started', errno: 'ENOENT' } as const
    expect(describeEnd(missing, { command, args: [], env: {} }, 'starting')).toMatch(
      / exists on Windows only\. Set/,
    )
  },
)

test('[CODE.1] words a failure with the text of its code, and with its detail if it has one', () => {
  const { message } = codes.server_unavailable
  for (const [detail, error] of [
    [undefined, message],
    ['It\u0000ended.', cleanText(`${message} It\u0000ended.`)],
  ] as const)
    expect(failure('server_unavailable', detail)).toEqual({ ok: false, code: 'server_unavailable', error })
})
