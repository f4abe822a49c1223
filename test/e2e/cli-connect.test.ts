import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { bridgekeeper, COMMAND, eventIn } from '../support/installation.ts'
import { approve, newMachine } from '../support/new-machine.ts'
import { startOAuth } from '../support/oauth.ts'
import { kill } from '../support/processes.ts'
import { run } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { atTerminal } from '../support/terminal.ts'

/** Each start of the agent takes a second or more. */
const timeout = 120_000

test('[CLI.33] [CLI.34] after the enrolment connect shows the MCP URL, the servers and the next step; a second connect leaves it alone', {
  timeout,
}, async () => {
  const node = await startOAuth()
  const machine = newMachine(node)
  const first = machine.start()
  const [, userCode = '', keyWords = ''] = await first.printed(
    (stdout) => /Code: (\S+)\n {2}Words of its key:\n {4}(\S+)\n/.exec(stdout) ?? undefined,
  )
  // Also while the first waits for its user.
  expect(await machine.start().ended).toMatchObject({ code: 3 })
  await approve(node, { userCode, keyWords })
  const shown = await first.printed((stdout) => (stdout.includes('To remove') ? stdout : undefined))
  expect(shown).toContain(`MCP URL: ${node.url}/mcp\n`)
  expect(shown).toMatch(/^Local servers:\n {2}unruly {2}(?:starting|ready, \d+ tools)$/m)
  expect(shown).toContain(`To remove this machine: ${node.url}/account\n`)
  const overview = shown.slice(shown.indexOf('MCP URL'))
  expect(Math.max(...overview.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(shown).not.toContain('\u001b')
  await first.printed((stdout) => (/unruly {2}ready|unruly: ready/.test(stdout) ? true : undefined))

  const second = await machine.start('--json', '--enrol-again').ended
  const { error } = JSON.parse(second.stdout)
  expect([second.code, error.code]).toEqual([3, 'already_running'])
  const [, pid = ''] = /process (\d+), since \d{4}-\d\d-\d\dT/.exec(error.message) ?? []
  expect(first.processes()).toContain(Number(pid))
  expect(error.next).toContain(`kill ${pid}`)
  expect(error.next).toContain(machine.config)
  expect(error.next).toContain('BRIDGEKEEPER_HOME')

  kill(Number(pid))
  await first.ended
  const third = machine.start('--json')
  const event = await third.printed((stdout) => eventIn(stdout, 'type', 'overview'))
  expect(event).toEqual({
    type: 'overview',
    mcpUrl: `${node.url}/mcp`,
    accountUrl: `${node.url}/account`,
    newlyEnrolled: false,
    servers: [expect.objectContaining({ name: 'unruly' })],
  })
})

test('[CLI.32] [CLI.35] Ctrl-C while connect waits for approval exits with 130, the command to continue, and the terminal as it was', {
  timeout,
}, async () => {
  const node = await startOAuth()
  const machine = newMachine(node)
  const words = `node ${COMMAND} connect ${node.url} --config ${machine.config}`
  // Ctrl-C reaches the shell too: some shells would end before they print the exit code.
  const shown = await atTerminal(
    `trap : INT; ${words}; echo "exit $?"; stty -a`,
    [['Approve it only', '\u0003']],
    {
      ...machine.env,
      BRIDGEKEEPER_NO_BROWSER: '1',
    },
  )
  expect(shown).toMatch(/code: {2}interrupted\r\n/)
  expect(shown).toContain(`connect ${node.url} --config ${machine.config}\r\n`)
  expect(shown).toMatch(/exit 130\r\n/)
  expect(shown).toMatch(/ icanon .* echo /s)
})

test('[CLI.36] connect says that there is no bridge, or that it is something else', { timeout }, async () => {
  const other = createServer((_request, response) => response.end('<html>A web page.</html>'))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  atEnd(() => new Promise<void>((resolve) => void other.close(() => resolve())))
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  const { config, env } = newMachine({ url })
  const noBridge = await bridgekeeper(['connect', url, '--config', config], env)
  expect(noBridge).toMatchObject({ code: 1, stdout: '' })
  expect(noBridge.stderr).toContain(`${url} answers, but not as a bridge does.\ncode:  bridge_not_found\n`)
  const withTls = await bridgekeeper(['connect', url.replace('http', 'https'), '--config', config], env)
  expect(withTls.stderr).toMatch(/cannot be reached.*begins with http:.*\ncode: {2}bridge_unreachable\n/)
  const nobody = await bridgekeeper(['connect', 'http://127.0.0.1:9', '--config', config], env)
  expect(nobody).toMatchObject({ code: 1, stdout: '' })
  expect(nobody.stderr).toMatch(/http:\/\/127\.0\.0\.1:9.*ECONNREFUSED/)
})

test('[CLI.36] a usage error has a code, and names the help of its command as it was run', {
  timeout,
}, async () => {
  const relative = 'node packages/cli/bin/bridgekeeper.mjs'
  for (const [args, text, help] of [
    [['user', 'add', '--jsn'], "Unknown option '--jsn' (Did you mean --json?)", 'user add --help'],
    [['user', 'ad'], "Unknown command 'ad' (Did you mean add?)", 'user --help'],
    [['user', 'add'], "Missing required argument 'email'.", 'user add --help'],
    [['srve'], "Unknown command 'srve' (Did you mean serve?)", '--help'],
  ] as const) {
    const { code, stdout, stderr } = await bridgekeeper(args)
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${text}\ncode:  usage\nnext:  See: ${relative} ${help}\n`,
    })
  }
  const json = await bridgekeeper(['srve', '--json'])
  expect(JSON.parse(json.stdout).error.code).toBe('usage')
  const help = await bridgekeeper(['--help'])
  expect(help).toMatchObject({ code: 0, stderr: '' })
  expect(help.stdout).toContain(`  ${relative} connect http`)
})

test.skipIf(!existsSync('/bin/sh'))(
  '[CLI.32] npx is named where npx ran the command, and the data folder is repeated',
  { timeout },
  async () => {
    const data = join(scratch(), 'it is mine')
    mkdirSync(data, { mode: 0o700 })
    const { code, stderr } = await run('npx', [
      'bridgekeeper',
      'user',
      'logout',
      'ann@example.com',
      '--data',
      data,
    ])
    expect(code).toBe(1)
    expect(stderr).toContain(
      `next:  Add the user: npx bridgekeeper user add --data '${data}' ann@example.com\n`,
    )
  },
)
