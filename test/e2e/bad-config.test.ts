import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bridgekeeper } from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'

const entry = '{ "command": "node" }'

test.each([
  ['is missing', undefined, 'config_missing', 'ENOENT'],
  ['is not JSON', '{\n  "mcpServers": {\n    "a": {]\n', 'config_malformed', '3:11'],
  ['is empty', '', 'config_malformed', 'is empty'],
  ['names no servers', '{ "other": 1 }', 'config_no_servers', 'names no servers'],
  [
    'has a server twice',
    `{ "mcpServers": {\n  "files": ${entry},\n  "files": ${entry}\n} }`,
    'config_duplicate_server',
    '"files" occurs twice in the config file, in lines 2 and 3',
  ],
  ['has a server without a command', '{ "mcpServers": { "a": {} } }', 'config_server_invalid', '"a"'],
  [
    'uses a variable that is not set',
    `{ "mcpServers": { "a": { "command": "node", "env": { "KEY": "\${NO_SUCH_VARIABLE}" } } } }`,
    'config_variable_missing',
    'NO_SUCH_VARIABLE',
  ],
])('[CLI.5] exits with the code before connecting if its config file %s', async (_, text, code, detail) => {
  const path = join(scratch(), 'mcp.json')
  if (text !== undefined) writeFileSync(path, text)
  const { code: exitCode, stdout, stderr } = await connectWith(path, '--json')
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({
    error: { code, message: expect.stringContaining(detail), next: expect.any(String) },
  })
})

test('[CLI.5] prints code, reason and next step to standard error without --json', async () => {
  const path = join(scratch(), 'mcp.json')
  const { code, stdout, stderr } = await connectWith(path)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^error: .+ENOENT.+\ncode: {2}config_missing\nnext: {2}Create it.+\n$/)
  expect(stderr).toContain(path)
})

/** Nothing listens at this address: an agent that began to connect would try for ever. */
function connectWith(path: string, ...args: string[]) {
  const env = { BRIDGEKEEPER_TOKEN: 'x' }
  return bridgekeeper(['connect', 'http://127.0.0.1:9', '--config', path, ...args], env)
}
