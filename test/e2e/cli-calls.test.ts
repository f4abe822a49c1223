import { beforeAll, describe, expect, test } from 'vitest'
import { connect, published } from '../support/agent-program.ts'
import { bridgekeeper, login, type RunningBridge, serve } from '../support/installation.ts'
import { run } from '../support/program.ts'

let bridge: RunningBridge
let token: string

beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  await connect(bridge, {
    token,
    servers: { everything: published('everything'), memory: published('memory') },
  })
})

const caller = () => ({ BRIDGEKEEPER_URL: bridge.url, BRIDGEKEEPER_TOKEN: token })
const asCaller = (args: string[], input?: string) => bridgekeeper(args, caller(), input)

describe('bridgekeeper tools', () => {
  test('[CLI.2] lists the tools of all servers by server and name, or of one', async () => {
    const [all, one] = await Promise.all([asCaller(['tools']), asCaller(['tools', 'memory'])])
    expect(all.code).toBe(0)
    expect(all.stdout).toMatch(/^SERVER +TOOL +DESCRIPTION\n/)
    expect(all.stdout).toMatch(/^everything +echo +Echoes back the input string$/m)
    expect(all.stdout).toMatch(/^memory +create_entities +Create/m)
    expect(one.stdout).toMatch(/^memory +create_entities +Create/m)
    expect(one.stdout).not.toMatch(/^everything/m)
  })

  test('[CLI.2] with --json prints the definitions', async () => {
    const { stdout } = await asCaller(['tools', 'everything', '--json'])
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({
        name: 'echo',
        inputSchema: expect.objectContaining({ required: ['message'] }),
      }),
    )
  })
})

describe('bridgekeeper call', () => {
  const ECHO = { content: [{ type: 'text', text: 'Echo: hello ü' }] }

  test('[CLI.3] prints the text of the result, or with --json the result; npx finds the command', async () => {
    const args = ['call', 'everything', 'echo', '{"message":"hello ü"}']
    const [words, json] = await Promise.all([
      asCaller(args),
      run('npx', ['bridgekeeper', ...args, '--json'], caller()),
    ])
    expect(words).toEqual({ code: 0, signal: null, stdout: 'Echo: hello ü\n', stderr: '' })
    expect(json.code, json.stderr).toBe(0)
    expect(JSON.parse(json.stdout)).toEqual(ECHO)
  })

  test('[CLI.3] takes large arguments from standard input', async () => {
    const message = 'x'.repeat(500_000)
    const { code, stdout } = await asCaller(['call', 'everything', 'echo', '-'], JSON.stringify({ message }))
    expect(code).toBe(0)
    expect(stdout).toBe(`Echo: ${message}\n`)
  })

  test('[CLI.3] describes an image, and prints it with --json', async () => {
    const args = ['call', 'everything', 'get-tiny-image']
    const [words, json] = await Promise.all([asCaller(args), asCaller([...args, '--json'])])
    expect(words.stdout).toMatch(/^\[image: image\/png, \d{4} bytes; --json shows it\]$/m)
    const image = JSON.parse(json.stdout).content.find((block: { type: string }) => block.type === 'image')
    expect(Buffer.from(image.data, 'base64').subarray(1, 4).toString()).toBe('PNG')
  })

  test('[CLI.3] prints an error result, and exits with 1', async () => {
    const { code, stdout } = await asCaller(['call', 'everything', 'get-sum', '{"a":"one"}', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ isError: true })
  })

  test.each([
    ['server_not_found', ['call', 'nowhere', 'echo'], {}],
    ['usage', ['call', 'everything', 'echo', '[1]'], {}],
    ['usage', ['call', 'everything', 'echo', '{'], {}],
    ['token_missing', ['call', 'everything', 'echo'], { BRIDGEKEEPER_TOKEN: '' }],
    ['token_invalid', ['tools'], { BRIDGEKEEPER_TOKEN: 'a.b.c' }],
    ['bridge_unreachable', ['tools'], { BRIDGEKEEPER_URL: 'http://127.0.0.1:9' }],
    ['setting_invalid', ['tools'], { BRIDGEKEEPER_URL: 'ftp://127.0.0.1' }],
    ['setting_invalid', ['tools'], { BRIDGEKEEPER_TOKEN: 'TOKEN\nabc' }],
  ])('[CLI.4] reports a failure with its code: %s, %j %j', async (code, args, env) => {
    const ended = await bridgekeeper([...args, '--json'], { ...caller(), ...env })
    expect(ended).toMatchObject({ code: 1, stderr: '' })
    expect(JSON.parse(ended.stdout)).toEqual({
      error: { code, message: expect.any(String), next: expect.any(String) },
    })
  })

  test('[CLI.4] prints a failure to standard error only, without --json', async () => {
    const { code, stdout, stderr } = await asCaller(['call', 'nowhere', 'echo'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^error: .+"nowhere".+\ncode: {2}server_not_found\nnext: {2}.+\n$/)
  })
})
