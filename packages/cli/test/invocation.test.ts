import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { asTyped } from '../src/hints.ts'
import { commandName, quoted, type Start } from '../src/invocation.ts'

const clone = { env: { PATH: '/usr/bin' }, folder: '/home/ann/clone', platform: 'linux' } as const
const windows = { env: { Path: 'C:\\npm;C:\\bin' }, folder: 'C:\\app', platform: 'win32' } as const

test.each<[string, string, Start]>([
  [
    'npx, in a folder with the package',
    'npx bridgekeeper',
    { ...clone, script: '/a/node_modules/.bin/bridgekeeper' },
  ],
  [
    'npm exec of a linked package',
    'npx bridgekeeper',
    { ...clone, script: '/home/ann/clone/packages/cli/bin/bridgekeeper.mjs', env: { npm_command: 'exec' } },
  ],
  [
    'an npm script of an app',
    'npx bridgekeeper',
    { ...clone, script: '/app/node_modules/.bin/bridgekeeper', env: { npm_command: 'run-script' } },
  ],
  ['the demo of npm start', 'npx bridgekeeper', { ...clone, script: '/home/ann/clone/scripts/demo.ts' }],
  ['a program on the search path', 'bridgekeeper', { ...clone, script: '/usr/bin/bridgekeeper' }],
  ['a program elsewhere', '/opt/bk/bridgekeeper', { ...clone, script: '/opt/bk/bridgekeeper' }],
  ['a program in this folder', './bridgekeeper', { ...clone, script: '/home/ann/clone/bridgekeeper' }],
  [
    'node, with a file in this folder',
    'node packages/cli/bin/bridgekeeper.mjs',
    { ...clone, script: '/home/ann/clone/packages/cli/bin/bridgekeeper.mjs' },
  ],
  [
    'node, with a file elsewhere',
    "node '/my tools/bridgekeeper.mjs'",
    { ...clone, script: '/my tools/bridgekeeper.mjs' },
  ],
  [
    'npm install -g on Windows',
    'bridgekeeper',
    { ...windows, script: 'C:\\npm\\node_modules\\bridgekeeper\\bin\\bridgekeeper.mjs' },
  ],
  [
    'npm install on Windows',
    'npx bridgekeeper',
    { ...windows, script: 'C:\\app\\node_modules\\bridgekeeper\\bin\\bridgekeeper.mjs' },
  ],
  [
    'node on Windows',
    'node "my tools\\bridgekeeper.mjs"',
    { ...windows, script: 'C:\\app\\my tools\\bridgekeeper.mjs' },
  ],
])('[CLI.32] the command to type is found for %s', (_, command, start) => {
  expect(commandName(start)).toBe(command)
})

test.each<[string, Parameters<typeof asTyped>[2], string]>([
  ['Next: bridgekeeper user add EMAIL', {}, 'Next: npx bridgekeeper user add EMAIL'],
  [
    'Next: bridgekeeper user add EMAIL',
    { data: 'a b' },
    "Next: npx bridgekeeper user add --data 'a b' EMAIL",
  ],
  ['bridgekeeper serve makes it.', { data: '/d' }, 'npx bridgekeeper serve --data /d makes it.'],
  ['See bridgekeeper devices.', {}, 'See npx bridgekeeper devices.'],
  ['bridgekeeper tools', { data: '/d' }, 'npx bridgekeeper tools'],
  [
    'Again: bridgekeeper connect URL --enrol-again',
    { url: 'http://localhost:1', config: "ann's.json" },
    "Again: npx bridgekeeper connect http://localhost:1 --config 'ann'\\''s.json' --enrol-again",
  ],
  ['bridgekeeper connect URL', {}, 'npx bridgekeeper connect URL'],
  ['(bridgekeeper --help lists them)', {}, '(npx bridgekeeper --help lists them)'],
  ['npx @x/bridgekeeper serve; bridgekeeper is free', {}, 'npx @x/bridgekeeper serve; bridgekeeper is free'],
])('[CLI.32] commands in a text stand as the user can type them: %s %o', (text, repeated, shown) => {
  expect(asTyped(text, 'npx bridgekeeper', repeated)).toBe(shown)
})

test
  .skipIf(process.platform === 'win32')
  .each(['plain-1.json', "it's", 'a b', '$(touch x)', '`id`', '"', '\\', '*', '~', '#', '', 'a;b|c&d'])(
  '[CLI.32] a shell reads a quoted word as it was: %s',
  (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' })).toBe(word)
  },
)
