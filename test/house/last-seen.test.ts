import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { plant, repository, runNode, transplant } from './planted.ts'

/** Tests that fail, each in its own way. */
const FAILING = {
  timeout: `
    const script = 'console.log("http://x/?code=abc", "k3y".repeat(9)); console.error("a fault"); setInterval(() => {}, 9e9)'
    const program = new Program(process.execPath, ['-e', script])
    await program.printed((stdout) => stdout.includes('a fault') || stdout.includes('code') || undefined)
    await program.ended`,
  refused: `
    const server = createServer().on('upgrade', (_, socket) => socket.end('HTTP/1.1 403 No\\r\\n\\r\\n'))
    await new Promise((resolve) => server.listen(0, resolve))
    const peer = dial({ port: server.address().port })
    await peer.next('challenge')`,
  condition: `
    const seen = 'nothing'
    await vi.waitFor(() => { if (seen !== 'the end') throw new Error(\`saw \${seen}\`) }, 200)`,
  promise: "await within(new Promise(() => {}), 'answer', () => 'half of it', 200)",
}

/** Output of each failing test. */
const shown: Partial<Record<keyof typeof FAILING, string>> = {}

beforeAll(async () => {
  const names = Object.keys(FAILING) as (keyof typeof FAILING)[]
  const tests = names.map((name) => `test('${name}', async () => {\n${FAILING[name]}\n}, 5_000)`)
  const [, ...reports] = (await outputOf(tests)).split(/ FAIL .* > (?=\w+$)/m)
  for (const name of names) shown[name] = reports.find((text) => text.startsWith(name)) ?? ''
})

/** Returns the output of tests, which run like the real ones under `npm test`. */
async function outputOf(tests: readonly string[]): Promise<string> {
  const root = plant({
    'test/planted.test.ts': [
      "import { createServer } from 'node:http'",
      "import { test, vi } from 'vitest'",
      "import { within } from './support/last-seen.ts'",
      "import { dial } from './support/peer.ts'",
      "import { Program } from './support/program.ts'",
      ...tests,
    ].join('\n'),
  })
  transplant(root, 'vitest.config.ts', 'scripts', 'test/support')
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'), 'junction')
  const vitest = join(repository, 'node_modules/vitest/vitest.mjs')
  const { code, stdout, stderr } = await runNode([vitest, 'run', '--root', root])
  expect(code).toBe(1)
  return stripVTControlCharacters(stdout + stderr)
}

test('[HOUSE.18] a test that times out shows the last lines of its programs, without secrets', () => {
  expect(shown.timeout).toContain('Test timed out in 5000ms')
  expect(shown.timeout).toMatch(
    /last saw:\s+still runs; stdout:\s+http:\/\/x\/\?code=… k3yk…\s+stderr:\s+a fault/,
  )
})

test('[HOUSE.18] a wait that fails names what it waited for, and the last messages and close code', () => {
  expect(shown.refused).toMatch(
    /closed while waiting for challenge; last seen:\s+Error: Unexpected server response: 403/,
  )
  expect(shown.refused).toContain('a peer last saw:')
})

test('[HOUSE.18] a condition that never holds is shown with its limit', () => {
  expect(shown.condition).toContain('saw nothing')
  expect(shown.condition).toMatch(/Waited 200 ms for: .*the end/s)
})

test('[HOUSE.18] a promise that never settles fails within its limit with what was seen', () => {
  expect(shown.promise).toMatch(/No answer within 200 ms. Last seen:\s+half of it/)
})
