// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is the syntax under test

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { ConfigError, parseConfig, readConfig } from '../src/index.ts'
import { beside, ENV, GOOD } from './support/entries.ts'

test.each([
  ['text in place of an entry', '"only a comment"', /entry: must be an object, not text/],
  ['null in place of an entry', 'null', /entry: must be an object, not null/],
  ['a list in place of an entry', '[]', /entry: must be an object, not a list/],
  ['no command', '{"args":[]}', /command: is missing/],
  ['an empty command', '{"command":" "}', /command: is missing/],
  ['an empty list as command', '{"command":[]}', /command: is missing/],
  ['a number as command', '{"command":7}', /command: must be text, not a number/],
  ['text as args', '{"command":"x","args":"y"}', /args: must be a list, not text/],
  ['a list in args', '{"command":"x","args":[["y"]]}', /args\.0: must be text, not a list/],
  ['a list in env', '{"command":"x","env":{"K":["y"]}}', /env\.K: must be text, not a list/],
  ['a list as env', '{"command":"x","env":["K=y"]}', /env: must be an object, not a list/],
  [
    'a name that no variable can have',
    '{"command":"x","env":{"A=B":"y"}}',
    /env: a variable name must not be empty, or contain "="/,
  ],
  ['a number as cwd', '{"command":"x","cwd":7}', /cwd: must be text, not a number/],
  ['a member twice', '{"command":"x","command":"y"}', /"command" occurs twice/],
  ['a variable that is not set', '{"command":"x","args":["${NOPE}"]}', /NOPE.*"a" \(args\.0\)/],
  ['an input of an editor', '{"command":"x","env":{"K":"${input:key}"}}', /input:key/],
  [
    'the open file of an editor',
    '{"command":"x","args":["${fileDirname}"]}',
    /fileDirname.*only be filled by/,
  ],
  ['a secret of Continue', '{"command":"x","env":{"K":"${{ secrets.KEY }}"}}', /secrets\.KEY/],
  ['a file of OpenCode', '{"command":"x","env":{"K":"{file:~/key}"}}', /file:~\/key/],
  ['a setting of Claude Desktop', '{"command":"x","args":["${user_config.key}"]}', /user_config\.key/],
  ['a setting of an editor', '{"command":"x","args":["${config:a.b}"]}', /config:a\.b/],
  ['a NUL character', '{"command":"x","args":["\\u0000"]}', /args\.0: must not contain a NUL/],
  [
    'a lost backslash',
    '{"command":"C:\\tools\\run.exe"}',
    /command: must not contain a control character after a drive/,
  ],
  ['an inheritEnv of text', '{"command":"x","inheritEnv":"PATH"}', /inheritEnv: must be a list/],
  ['an inheritEnv of everything', '{"command":"x","inheritEnv":["*"]}', /inheritEnv: must be a list/],
  [
    'a start limit of text',
    '{"command":"x","startup_timeout_sec":"soon"}',
    /startup_timeout_sec: must be a number/,
  ],
  [
    'a start limit of zero',
    '{"command":"x","startup_timeout_sec":0}',
    /startup_timeout_sec: must be a number/,
  ],
])('[CONFIG.11] skips only the unusable entry, with its reason: %s', (_, entry, message) => {
  expect(beside(entry)).toMatchObject({
    kind: 'unusable',
    error: { message: expect.stringMatching(message) },
  })
})

test('[CONFIG.11] skips only an entry with an impossible or duplicate name', () => {
  const text = `{"mcpServers":{"a\\u0000":{"command":"x"},"b":{"command":"x"},\n"b":{"command":"y"},${GOOD}}}`
  expect(parseConfig(text, ENV, '/')).toMatchObject([
    { kind: 'unusable', error: { code: 'config_server_invalid' } },
    {
      kind: 'unusable',
      error: { code: 'config_duplicate_server', message: expect.stringContaining('lines 1 and 2') },
    },
    { kind: 'stdio', name: 'good' },
  ])
})

test('[CONFIG.11] names each unusable entry in the error when none is left', () => {
  const text = '{"mcpServers":{"a":{"args":[]},"b":{"command":"${NOPE}"}}}'
  expect(() => parseConfig(text, ENV, '/')).toThrow(/"a".*command.*"b".*/)
})

test.each([
  ['null is absent', { command: 'x', args: null, env: null, cwd: null, timeout: null, disabled: null }, []],
  ['empty args and env in any form are absent', { command: 'x', args: '', env: [] }, []],
  ['an empty object as args is absent', { command: 'x', args: {}, env: '' }, []],
  ['an empty folder is absent', { command: 'x', cwd: '' }, []],
  ['null in a list is absent', { command: 'x', args: [null, 'y'] }, ['y']],
  ['numbers become text', { command: 'x', args: ['--port', 3000, true] }, ['--port', '3000', 'true']],
  ['a list is a command and its args', { command: ['x', 'y', 1], args: ['z'] }, ['y', '1', 'z']],
])('[CONFIG.12] accepts spellings of other programs: %s', (_, entry, args) => {
  const { startLimit, cwd, ...read } = { startLimit: undefined, cwd: undefined, ...beside(entry) }
  expect(read).toEqual({ kind: 'stdio', name: 'a', command: 'x', args, env: {}, secrets: [] })
  expect([startLimit, cwd]).toEqual([undefined, undefined])
})

test('[CONFIG.12] reads the environment under the name of OpenCode', () => {
  const entry = { type: 'local', command: ['x'], environment: { KEY: '{env:TOKEN}', OTHER: 'a{env:}' } }
  expect(beside(entry)).toMatchObject({ command: 'x', env: { KEY: 's3cr3t-value', OTHER: 'a{env:}' } })
  expect(beside({ command: 'x', args: ['{env:NOPE}'] })).toMatchObject({
    error: { code: 'config_variable_missing' },
  })
})

test('[CONFIG.12] reads the program of older files of Zed', () => {
  const command = { path: 'npx', args: ['-y', 'x'], env: { KEY: '${TOKEN}' } }
  expect(beside({ source: 'custom', command, settings: {} })).toMatchObject({
    ...{ command: 'npx', args: ['-y', 'x'], env: { KEY: 's3cr3t-value' } },
  })
  expect(beside({ command: { args: [] } })).toMatchObject({
    error: { message: expect.stringContaining('command: is missing') },
  })
  expect(beside({ command, args: ['z'] })).toMatchObject({
    error: { message: expect.stringContaining('"args" occurs twice') },
  })
})

test('[CONFIG.12] turns numbers into their text from the file', () => {
  const entry = '{"command":"x","args":[12345678901234567890,1.0],"env":{"N":1e400}}'
  expect(beside(entry)).toMatchObject({ args: ['12345678901234567890', '1.0'], env: { N: '1e400' } })
})

test.each([
  ['timeout', 120, 120_000, false],
  ['timeout', 999, 999_000, false],
  ['timeout', 1_000, 1_000, false],
  ['timeout', '120000', 120_000, false],
  ['startup_timeout_sec', 90, 90_000, true],
  ['startupTimeoutMs', 500, 500, true],
  ['startTimeout', 90, 90_000, true],
  ['start-timeout', 90_000, 90_000, true],
  ['startup_timeout_sec', 1e9, 3_600_000, true],
  ['timeout', '30s', 30_000, false],
  ['timeout', ' 1.5 min ', 90_000, false],
  ['startup_timeout_sec', '2M', 120_000, true],
  ['startupTimeoutMs', '90000ms', 90_000, true],
  ['startTimeout', '500 ms', 500, true],
  ['startTimeout', '0.5h', 1_800_000, true],
])('[CONFIG.13] reads the start limit of an entry: %s %s', (name, value, limitMs, isExact) => {
  expect(beside({ command: 'x', [name]: value })).toMatchObject({ startLimit: { limitMs, isExact } })
})

test('[CONFIG.13] prefers a name about the start, and ignores an invalid timeout', () => {
  expect(beside({ command: 'x', timeout: 5, startup_timeout_sec: 90 })).toMatchObject({
    startLimit: { limitMs: 90_000, isExact: true },
  })
  expect(beside({ command: 'x', timeout: 0 })).not.toHaveProperty('startLimit')
})

test.each([
  ['~', '/home/ann'],
  ['~/x', '/home/ann/x'],
  ['--folder=~/x', '--folder=/home/ann/x'],
  ['a~', 'a~'],
  ['~bob/x', '~bob/x'],
  ['$HOME/x', '/home/ann/x'],
  ['$HOMER \\$HOME $$HOME', '$HOMER \\$HOME $$HOME'],
  ['${HOME}', '/home/ann'],
  ['${userHome}/x', '/home/ann/x'],
  ['${workspaceFolder}/x', '/home/ann/project/x'],
  ['${workspaceFolderBasename}', 'project'],
  ['${fileWorkspaceFolder}/x', '/home/ann/project/x'],
  ['a${pathSeparator}b${/}c', 'a/b/c'],
  ['${NOPE:-~/x}', '/home/ann/x'],
])('[CONFIG.14] expands folder variables: %s', (written, meant) => {
  expect(beside({ command: 'x', args: [written], env: { E: written } })).toMatchObject({
    args: [meant],
    env: { E: meant },
  })
})

test('[CONFIG.14] resolves an editor’s folder to the parent of its config folder', () => {
  const at = (folder: string) => beside({ command: 'x', cwd: '${workspaceFolder}/y' }, folder)
  expect(at('/project/.vscode')).toMatchObject({ cwd: '/project/y' })
  expect(at('/project')).toMatchObject({ cwd: '/project/y' })
})

test('[CONFIG.14] treats folders as public, and other variables as secret', () => {
  expect(
    beside({ command: 'x', args: ['~/a', '${HOME}', '$HOME', '${workspaceFolder}', '${TOKEN}'] }),
  ).toMatchObject({
    secrets: ['s3cr3t-value'],
  })
})

test('[CONFIG.14] expands Windows variables on Windows only', () => {
  const read = (platform: NodeJS.Platform) =>
    parseConfig('{"mcpServers":{"a":{"command":"x","args":["%TOKEN%","%NOPE%"]}}}', ENV, '/', platform)
  expect(read('win32')).toMatchObject([{ args: ['s3cr3t-value', '%NOPE%'], secrets: ['s3cr3t-value'] }])
  expect(read('linux')).toMatchObject([{ args: ['%TOKEN%', '%NOPE%'] }])
})

test('[CONFIG.14] finds a variable in any case on Windows only', () => {
  const env = { ...ENV, AppData: 'C:\\Data', USERPROFILE: 'C:\\Users\\ann' }
  const args = ['%appdata%', '${APPDATA:-none}', '${env:UserProfile}']
  const read = (platform: NodeJS.Platform) =>
    parseConfig(JSON.stringify({ servers: { a: { command: 'x', args } } }), env, '/', platform)
  expect(read('win32')).toMatchObject([
    { args: ['C:\\Data', 'C:\\Data', 'C:\\Users\\ann'], secrets: ['C:\\Data', 'C:\\Data'] },
  ])
  expect(() => read('linux')).toThrow(/UserProfile/)
})

test('[CONFIG.25] reads the variables of envFile, before those of env, and as secrets', () => {
  const folder = scratch()
  writeFileSync(join(folder, '.env'), '\uFEFFexport KEY="f1le value"\r\n# no\nOTHER=1\nTOKEN=own-token\n')
  const entry = { command: 'x', args: ['${KEY}'], env: { OTHER: '2', MADE: '${TOKEN}!' } }
  for (const envFile of ['.env', '${workspaceFolder}/.env', join(folder, '.env')])
    expect(beside({ ...entry, envFile }, folder)).toMatchObject({
      args: ['f1le value'],
      env: { KEY: 'f1le value', OTHER: '2', TOKEN: 'own-token', MADE: 'own-token!' },
      secrets: expect.arrayContaining(['f1le value', 'own-token']),
    })
  expect(beside({ command: 'x', envFile: null })).toMatchObject({ kind: 'stdio', env: {} })
})

test('[CONFIG.25] fails the entry of an envFile that cannot be used, with the reason', () => {
  const folder = scratch()
  const file = join(folder, 'exposed')
  writeFileSync(file, 'A=1')
  chmodSync(file, 0o666)
  writeFileSync(join(folder, 'large'), 'x'.repeat(1_048_577))
  const problem = (envFile: unknown) => {
    const entry = beside({ command: 'x', envFile }, folder)
    return entry?.kind === 'unusable' ? entry.error.message : undefined
  }
  expect(problem('gone')).toContain('envFile: cannot be read (ENOENT).')
  expect(problem('.')).toContain('envFile: is not a regular file.')
  expect(problem('large')).toContain('envFile: has more than 1048576 bytes.')
  expect(problem(5)).toContain('envFile: must be text, not a number.')
  if (process.geteuid !== undefined)
    expect(problem('exposed')).toContain('envFile: is not used: its mode 0666')
})

test('[CONFIG.16] reads inheritEnv for one entry and for all', () => {
  const text = `{"inheritEnv":["DOCKER_HOST"],"mcpServers":{"a":{"command":"x","inheritEnv":["XDG_*"]},${GOOD}}}`
  expect(parseConfig(text, ENV, '/')).toMatchObject([
    { inheritEnv: ['DOCKER_HOST', 'XDG_*'] },
    { inheritEnv: ['DOCKER_HOST'] },
  ])
  expect(() => parseConfig(`{"inheritEnv":"X","mcpServers":{${GOOD}}}`, ENV, '/')).toThrow(
    /inheritEnv.*line 1/,
  )
})

test('[CONFIG.18] reads the era of MCP that an entry names, and refuses any other', () => {
  const eraOf = (member: string) => {
    const [read] = parseConfig(`{"mcpServers":{"a":{"command":"x"${member}},${GOOD}}}`, ENV, '/')
    return read
  }
  expect(eraOf(',"era":"2026"')).toMatchObject({ era: '2026' })
  expect(eraOf(',"era":2025')).toMatchObject({ era: '2025' })
  for (const none of ['', ',"era":null']) expect(eraOf(none)).not.toHaveProperty('era')
  for (const wrong of ['"2024"', '{}', '""'])
    expect(eraOf(`,"era":${wrong}`)).toMatchObject({
      kind: 'unusable',
      error: {
        code: 'config_server_invalid',
        message: expect.stringContaining('era: must be "2025" or "2026"'),
      },
    })
})

test('[CONFIG.19] reads roots as folders or URIs, or gives a server those of its clients', () => {
  const entryOf = (member: string) => {
    const [read] = parseConfig(`{"mcpServers":{"a":{"command":"x"${member}},${GOOD}}}`, ENV, '/work')
    return read
  }
  const roots = ['.', '/data', '../up', 'file:///kept%20as%20is']
  expect(entryOf(`,"roots":${JSON.stringify(roots)}`)).toMatchObject({
    roots: [
      pathToFileURL('/work').href,
      pathToFileURL('/data').href,
      pathToFileURL('/up').href,
      'file:///kept%20as%20is',
    ],
  })
  expect(entryOf(',"roots":[]')).toMatchObject({ roots: [] })
  expect(entryOf(',"clientRoots":true')).toMatchObject({ clientRoots: true })
  for (const none of ['', ',"roots":null', ',"clientRoots":false', ',"clientRoots":null']) {
    expect(entryOf(none)).not.toHaveProperty('roots')
    expect(entryOf(none)).not.toHaveProperty('clientRoots')
  }
  for (const [wrong, said] of [
    [',"roots":"x"', 'roots: must be a list'],
    [',"roots":[{}]', 'roots.0: must be text'],
    [',"clientRoots":"yes"', 'clientRoots: must be true or false'],
    [',"roots":["x"],"clientRoots":true', 'roots: must not be given together with clientRoots'],
  ] as const)
    expect(entryOf(wrong)).toMatchObject({
      ...{ kind: 'unusable', error: { message: expect.stringContaining(said) } },
    })
})

const SOME = '{"mcpServers":{"a":{"command":"x","args":["é"]}}}'
const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16()

test.each([
  ['UTF-8', Buffer.from(SOME)],
  ['UTF-8 with a mark', Buffer.from(`\uFEFF${SOME}`)],
  ['UTF-16LE with a mark', Buffer.from(`\uFEFF${SOME}`, 'utf16le')],
  ['UTF-16LE', Buffer.from(SOME, 'utf16le')],
  ['UTF-16BE with a mark', swapped(`\uFEFF${SOME}`)],
  ['UTF-16BE', swapped(SOME)],
])('[CONFIG.17] reads a file in %s', async (_, bytes) => {
  const file = join(scratch(), 'mcp.json')
  writeFileSync(file, bytes)
  expect(await readConfig(file, ENV)).toMatchObject([{ args: ['é'] }])
})

test.each([
  ['Latin-1', Buffer.from('{"mcpServers":\n {"a":{"command":"é"}}}', 'latin1'), /not valid UTF-8.* 2:19\./],
  [
    'Latin-1 after a real U+FFFD',
    Buffer.concat([Buffer.from('{"\uFFFD":"'), Buffer.of(0xe9)]),
    /UTF-8.* 1:7\./,
  ],
  ['half a character at the end', Buffer.concat([Buffer.from('{"'), Buffer.of(0xc3)]), /UTF-8.* 1:3\./],
  ['half of UTF-16', Buffer.concat([Buffer.from('\uFEFF{', 'utf16le'), Buffer.of(0x20)]), /not valid UTF-16/],
  [
    'single backslashes',
    Buffer.from('{"mcpServers":\n{"a":{"command":"C:\\Users"}}}'),
    /JSON.* 2:\d+: InvalidEsc/,
  ],
  [
    'a backslash before u',
    Buffer.from('{"mcpServers":{"a":{"command":"C:\\users"}}}'),
    /JSON.* 1:\d+: InvalidUni/,
  ],
  [
    'a list of servers',
    Buffer.from('{"x":1,\n"mcpServers":[]}'),
    /unexpected structure.* 2:14: "mcpServers" must be/,
  ],
])('[CONFIG.17] reports an unreadable part with its line and column: %s', async (_, bytes, message) => {
  const file = join(scratch(), 'mcp.json')
  writeFileSync(file, bytes)
  const error = await readConfig(file, ENV).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(ConfigError)
  expect(error).toMatchObject({ code: 'config_malformed', message: expect.stringMatching(message) })
  expect((error as ConfigError).next).toMatch(/backslash.*twice|UTF-8|that place/)
})
