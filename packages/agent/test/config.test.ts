// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is the syntax under test
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { ConfigError, parseConfig, readConfig, type ServerEntry } from '../src/index.ts'

const ENV = { TOKEN: 's3cr3t-value', EMPTY: '', HOME: '/home/ann' }
const parse = (text: string) => parseConfig(text, ENV, '/home/ann')
const one = (entry: string) =>
  parse(`{"mcpServers":{"a":${entry}}}`)[0] as Extract<ServerEntry, { kind: 'stdio' }>

function errorOf(text: string): ConfigError {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
  }
  throw new Error('no ConfigError was thrown')
}

test.each(['mcpServers', 'servers', 'context_servers', 'mcp.servers', 'amp.mcpServers'])(
  '[CONFIG.1] reads the servers under the key %s',
  (key) => {
    const text = `{"${key}":{"files":{"command":"npx","args":["-y","x"],"env":{"A":"b","N":1,"B":true,"Z":null},"cwd":"sub"}},"inputs":[]}`
    expect(parse(text)).toEqual([
      {
        kind: 'stdio',
        name: 'files',
        command: 'npx',
        args: ['-y', 'x'],
        env: { A: 'b', N: '1', B: 'true' },
        cwd: '/home/ann/sub',
        secrets: ['b', '1', 'true'],
      },
    ])
  },
)

test('[CONFIG.1] reads the servers under both keys', () => {
  const text = '{"mcpServers":{"a":{"command":"x"}},"servers":{"b":{"command":"y"}}}'
  expect(parse(text).map(({ name }) => name)).toEqual(['a', 'b'])
})

test('[CONFIG.1] reads the servers in the settings of VS Code, beside other settings', () => {
  const text = '{"editor.fontSize":12,"mcp":{"inputs":[],"servers":{"a":{"command":"x"}}}}'
  expect(parse(text)).toMatchObject([{ name: 'a', command: 'x' }])
  expect(() => parse('{"mcp":{"servers":{"a":{"command":"x"}}},"servers":{}}')).toThrow(
    /"servers" occurs twice/,
  )
})

test('[CONFIG.1] reads the servers of OpenCode', () => {
  expect(
    parse('{"mcp":{"a":{"type":"local","command":["x","y"]},"b":{"type":"remote","url":"z"}}}'),
  ).toMatchObject([
    { name: 'a', command: 'x', args: ['y'] },
    { name: 'b', kind: 'http' },
  ])
  expect(() => parse('{"mcp":{"inputs":[]}}')).toThrow(/names no servers/)
})

test('[CONFIG.2] accepts comments, trailing commas, a byte order mark and unknown keys', () => {
  const text =
    '\uFEFF{ // mine\n "theme": 1, "mcpServers": { /* one */ "a": { "command": "x", "type": "stdio", "timeout": 5, }, }, }'
  expect(parse(text)).toMatchObject([{ name: 'a', command: 'x' }])
})

test.each([
  ['${TOKEN}', 's3cr3t-value'],
  ['${env:TOKEN}', 's3cr3t-value'],
  ['a${TOKEN}b${HOME}', 'as3cr3t-valueb/home/ann'],
  ['${MISSING:-else}', 'else'],
  ['${MISSING:-}', ''],
  ['${EMPTY:-else}', 'else'],
  ['${EMPTY}', ''],
  ['${TOKEN:-else}', 's3cr3t-value'],
  ['$TOKEN ${} ${TOKEN', '$TOKEN ${} ${TOKEN'],
  ['${HOME%/}', '${HOME%/}'],
  ['${time:HH}', '${time:HH}'],
])('[CONFIG.3] expands variables: %s', (written, meant) => {
  const entry = one(
    JSON.stringify({
      command: written.replaceAll(' ', '') || 'x',
      args: [written],
      env: { E: written },
      cwd: `/${written}`,
    }),
  )
  expect(entry).toMatchObject({
    command: meant.replaceAll(' ', '') || expect.anything(),
    args: [meant],
    env: { E: meant },
  })
})

test('[CONFIG.3] expands variables of the entry itself, before those of the agent', () => {
  const entry = one(
    JSON.stringify({
      command: '${RUNNER}',
      args: ['mcp-remote', '--header', 'Authorization:${AUTH}', '${TOKEN}'],
      env: { RUNNER: 'npx', KEY: 'k3y-value', AUTH: 'Bearer ${KEY}', TOKEN: 'own ${TOKEN}' },
    }),
  )
  expect(entry).toMatchObject({
    command: 'npx',
    args: ['mcp-remote', '--header', 'Authorization:Bearer k3y-value', 'own s3cr3t-value'],
    env: { AUTH: 'Bearer k3y-value', TOKEN: 'own s3cr3t-value' },
    secrets: expect.arrayContaining(['Bearer k3y-value', 'own s3cr3t-value']),
  })
})

test.each([
  ['${MISSING:-${TOKEN}}', 's3cr3t-value'],
  ['${TOKEN:-${MISSING}}', 's3cr3t-value'],
  ['${MISSING:-${ALSO:-x}}y', 'xy'],
  ['${MISSING:-a${HOME}b}', 'a/home/annb'],
])('[CONFIG.3] expands variables in a default: %s', (written, meant) => {
  expect(one(JSON.stringify({ command: 'x', args: [written] }))).toMatchObject({ args: [meant] })
})

test.each([
  ['$TOKEN', 's3cr3t-value'],
  ['$MISSING', '$MISSING'],
  ['pa$TOKEN', 'pa$TOKEN'],
  ['/opt/bin:$PATH', '/opt/bin:/bin'],
  ['\\$PATH $PATHS $$PATH', '\\$PATH $PATHS $$PATH'],
])('[CONFIG.3] expands $VAR as a whole value of env, and $PATH: %s', (written, meant) => {
  const text = JSON.stringify({ command: 'x', args: [written], env: { E: written } })
  const [entry] = parseConfig(`{"servers":{"a":${text}}}`, { ...ENV, PATH: '/bin' }, '/')
  expect(entry).toMatchObject({ args: [written], env: { E: meant } })
})

test('[CONFIG.3] treats values from variables as secrets', () => {
  expect(one('{"command":"x","args":["--key","${TOKEN}"]}').secrets).toEqual(['s3cr3t-value'])
})

test.each([
  '{\u201Cservers\u201D:{}}',
  '{\u00A0"servers":{}}',
  '{"servers":\u200B{}}',
  '{"servers":{}}\u3000',
])('[CONFIG.4] tells the user of quotes and spaces that were copied: %j', (text) => {
  expect(errorOf(text)).toMatchObject({
    code: 'config_malformed',
    next: expect.stringContaining('There is a typographic quote or an unusual space'),
  })
})

test.each(['', ' \n', '\uFEFF'])('[CONFIG.4] says that an empty file is empty: %j', (text) => {
  expect(errorOf(text)).toMatchObject({ code: 'config_malformed', message: 'The config file is empty.' })
})

test.each([
  '[mcp_servers.a]\ncommand = "x"\n',
  '# Codex\n\nmodel = "m"\n',
  'mcpServers:\n  a:\n    command: x\n',
  '---\nextensions:\n',
])('[CONFIG.4] tells the user of TOML and YAML that the file must be JSON: %j', (text) => {
  expect(errorOf(text)).toMatchObject({
    code: 'config_malformed',
    next: expect.stringContaining('looks like TOML or YAML. Write the servers into a JSON file'),
  })
})

test.each([
  ['a syntax error', '{"mcpServers":\n  {"a" {}}}', 'config_malformed', /2:8/],
  ['not an object', '[]', 'config_malformed', /1:1/],
  ['an empty file', '', 'config_malformed', /is empty/],
  [
    'a key twice',
    '{"mcpServers":{"a":{"command":"x",\n"command":"y"}}}',
    'config_malformed',
    /"command".*lines 1 and 2/,
  ],
  [
    'the section twice',
    '{"mcpServers":{},\n"mcpServers":{}}',
    'config_malformed',
    /"mcpServers".*lines 1 and 2/,
  ],
  ['no section', '{"other":{}}', 'config_no_servers', /names no servers/],
  ['an empty section', '{"mcpServers":{}}', 'config_no_servers', /names no servers/],
  ['all disabled', '{"mcpServers":{"a":{"disabled":true}}}', 'config_no_servers', /disabled/],
  [
    'a name twice',
    '{"mcpServers":{\n"a":{"command":"x"},\n"a":{"command":"y"}}}',
    'config_duplicate_server',
    /"a".*lines 2 and 3/,
  ],
  [
    'a name in both sections',
    '{"servers":{"a":{}},\n"mcpServers":{"a":{}}}',
    'config_duplicate_server',
    /lines 1 and 2/,
  ],
  ['no command', '{"mcpServers":{"a":{"args":[]}}}', 'config_server_invalid', /"a".*command/],
  [
    'args that are text',
    '{"mcpServers":{"a":{"command":"x","args":"y"}}}',
    'config_server_invalid',
    /"a".*args/,
  ],
  ['an entry that is text', '{"mcpServers":{"a":"npx"}}', 'config_server_invalid', /"a"/],
  [
    'a name with control characters',
    '{"mcpServers":{"a\\u0000":{"command":"x"}}}',
    'config_server_invalid',
    /control/,
  ],
  [
    'a missing variable',
    '{"mcpServers":{"a":{"command":"x","args":["${NOPE}"]}}}',
    'config_variable_missing',
    /NOPE.*"a" \(args\.0\)/,
  ],
  [
    "an editor's input",
    '{"mcpServers":{"a":{"command":"x","env":{"K":"${input:key}"}}}}',
    'config_variable_missing',
    /input:key/,
  ],
] as const)('[CONFIG.4] reports the fault and the next step: %s', (_, text, code, message) => {
  const error = errorOf(text)
  expect(error).toMatchObject({ name: 'ConfigError', code, message: expect.stringMatching(message) })
  expect(error.next).not.toBe('')
})

test('[CONFIG.4] runs 64 servers, and skips the others with a reason', () => {
  const servers = Object.fromEntries(Array.from({ length: 66 }, (_, i) => [`s${i}`, { command: 'x' }]))
  const entries = parse(JSON.stringify({ mcpServers: servers }))
  expect(entries.filter(({ kind }) => kind === 'stdio')).toHaveLength(64)
  expect(entries.slice(64)).toMatchObject([
    { kind: 'unusable', name: 's64', error: { message: expect.stringContaining('at most 64') } },
    { kind: 'unusable', name: 's65' },
  ])
})

test('[CONFIG.5] fails with config_missing for an unreadable file', async () => {
  await expect(readConfig('/no/such/file', ENV)).rejects.toMatchObject({ code: 'config_missing' })
  const folder = scratch()
  await expect(readConfig(folder, ENV)).rejects.toMatchObject({ code: 'config_missing' })
  writeFileSync(join(folder, 'mcp.json'), '{"mcpServers":{"a":{"command":"x","cwd":"b"}}}')
  expect(await readConfig(join(folder, 'mcp.json'), ENV)).toMatchObject([{ cwd: join(folder, 'b') }])
})

test.skipIf(process.platform === 'win32')(
  '[CONFIG.10] refuses a file that every account may write with config_exposed, until its mode is fixed',
  async () => {
    const file = join(scratch(), 'mcp.json')
    writeFileSync(file, '{"mcpServers":{"a":{"command":"x"}}}')
    chmodSync(file, 0o666)
    await expect(readConfig(file, ENV)).rejects.toMatchObject({
      code: 'config_exposed',
      message: `The config file ${file} is not used: its mode 0666 gives others too many rights.`,
      next: expect.stringContaining(`chmod o-w "${file}"`),
    })
    chmodSync(file, 0o664)
    expect(await readConfig(file, ENV)).toHaveLength(1)
  },
)

test.runIf(process.geteuid?.() === 0)(
  '[CONFIG.10] refuses another user’s file with config_exposed',
  async () => {
    const file = join(scratch(), 'mcp.json')
    writeFileSync(file, '{"mcpServers":{"a":{"command":"x"}}}')
    chownSync(file, 12_345, 0)
    await expect(readConfig(file, ENV)).rejects.toMatchObject({
      code: 'config_exposed',
      next: expect.stringContaining(`chown 0 "${file}"`),
    })
  },
)

test('[CONFIG.6] skips a disabled entry, whatever else it contains', () => {
  expect(
    parse('{"mcpServers":{"a":{"disabled":true,"args":7},"b":{"command":"x","disabled":false}}}'),
  ).toHaveLength(1)
})

test.each(['url', 'serverUrl', 'httpUrl', 'uri'])(
  '[CONFIG.7] treats an entry with %s as a server over HTTP, without its address',
  (key) => {
    expect(parse(`{"mcpServers":{"a":{"${key}":"https://x/?token=t","headers":{}}}}`)).toEqual([
      { kind: 'http', name: 'a' },
    ])
  },
)

test.each([
  'http',
  'sse',
  'streamable-http',
  'streamableHttp',
  'streamable_http',
  'SSE',
  'websocket',
  'remote',
])(
  '[CONFIG.7] treats an entry of type %s as a server over HTTP, even without an address that is known',
  (type) => {
    for (const key of ['type', 'transport', 'transportType'])
      expect(parse(`{"mcpServers":{"a":{"${key}":"${type}","endpoint":"https://x"}}}`)).toEqual([
        { kind: 'http', name: 'a' },
      ])
    expect(parse(`{"mcpServers":{"a":{"type":"${type}","command":"x"}}}`)).toMatchObject([{ kind: 'stdio' }])
  },
)

test('[CONFIG.8] repeats no value in an error', () => {
  const texts = [
    '{"mcpServers":{"a":{"command":"x","env":{"K":["s3cr3t-value"]}}}}',
    '{"mcpServers":{"a":{"command":"x","env":{"K":"s3cr3t-value"},"args":["${NOPE}"]}}}',
    '{"mcpServers":{"a":{"command":"x","env":{"K":"s3cr3t-value" "L":1}}}}',
    '{"mcpServers":{"a":{"command":"x","args":"s3cr3t-value"}}}',
  ]
  for (const text of texts) expect(`${errorOf(text)} ${errorOf(text).next}`).not.toContain('s3cr3t')
})

test('[CONFIG.9] accepts names such as __proto__', () => {
  const text = '{"mcpServers":{"__proto__":{"command":"x","env":{"__proto__":"y","constructor":"z"}}}}'
  const [entry] = parse(text)
  expect(entry?.name).toBe('__proto__')
  expect(Object.keys((entry?.kind === 'stdio' && entry.env) || {})).toContain('constructor')
})
