// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is the syntax under test

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { parseConfig } from '../src/index.ts'
import { beside, ENV } from './support/entries.ts'

test.each([
  ['npx -y some-server', 'npx', ['-y', 'some-server']],
  ['  npx\t-y  x ', 'npx', ['-y', 'x']],
  [`node "a b.js" '--k=c d'`, 'node', ['a b.js', '--k=c d']],
  ['node --home=${HOME} ${NOPE:-a b}', 'node', ['--home=/home/ann', 'a b']],
  ['node ${TOKEN}', 'node', ['s3cr3t-value']],
  ['node ~/x.js', 'node', ['/home/ann/x.js']],
  ["sh -c 'a; b >c'", 'sh', ['-c', 'a; b >c']],
  ['uvx x>=2', 'uvx', ['x>=2']],
  ['"/usr/bin/node"', '/usr/bin/node', []],
  [
    'C:\\Program Files\\nodejs\\node.exe C:\\x y.exe',
    'C:\\Program Files\\nodejs\\node.exe',
    ['C:\\x', 'y.exe'],
  ],
  ['c:/Program Files (x86)/a.b/npx.CMD', 'c:/Program Files (x86)/a.b/npx.CMD', []],
  ['C:\\Program Files\\run tool', 'C:\\Program', ['Files\\run', 'tool']],
  ["'node'", 'node', []],
  [['npx -y some-server'], 'npx', ['-y', 'some-server']],
])('[CONFIG.15] splits a command line in "command": %s', (command, program, args) => {
  expect(beside({ command, args: ['last'] })).toMatchObject({ command: program, args: [...args, 'last'] })
})

test.each([
  ['cd x && node y', /needs a shell/],
  ['node x; node y', /needs a shell/],
  ['node x 2>&1', /needs a shell/],
  ['node x >log', /needs a shell/],
  ['node $(which x)', /needs a shell/],
  ['node `which x`', /needs a shell/],
  ['node x > log', /needs a shell/],
  ['KEY=value node x', /sets a variable/],
  ['node "x', /unclosed quote/],
])('[CONFIG.15] refuses a command line that needs a shell, with a hint: %s', (command, message) => {
  expect(beside({ command })).toMatchObject({
    kind: 'unusable',
    error: { message: expect.stringMatching(message) },
  })
})

test('[CONFIG.15] runs a program with spaces in its name unchanged', () => {
  const folder = scratch()
  const file = join(folder, 'my server')
  writeFileSync(file, '')
  chmodSync(file, 0o755)
  expect(beside({ command: file })).toMatchObject({ command: file, args: [] })
  expect(beside({ command: './my server' }, folder)).toMatchObject({ command: './my server' })
  expect(beside({ command: 'my server', env: { PATH: `/none:${folder}` } })).toMatchObject({
    command: 'my server',
  })
})

test('[CONFIG.15] runs a program with spaces in its name, and without its ending, unchanged on Windows', () => {
  const folder = scratch()
  writeFileSync(join(folder, 'my server.cmd'), '')
  const env = { ...ENV, PATHEXT: '.exe;.cmd' }
  const read = (command: string, platform: NodeJS.Platform) =>
    parseConfig(JSON.stringify({ servers: { a: { command } } }), env, folder, platform)
  expect(read('./my server', 'win32')).toMatchObject([{ command: './my server', args: [] }])
  expect(read('./my server', 'linux')).toMatchObject([{ command: './my', args: ['server'] }])
})
