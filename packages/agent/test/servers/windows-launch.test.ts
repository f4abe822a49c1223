import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { realFiles, windowsLaunch } from '../../src/servers/windows-launch.ts'

const NODE = 'C:\\Program Files\\nodejs'
const NPX = `:: Created by npm, please don't edit manually.
@ECHO OFF
SET "NODE_EXE=%~dp0\\node.exe"
SET "NPM_PREFIX_JS=%~dp0\\node_modules\\npm\\bin\\npm-prefix.js"
SET "NPX_CLI_JS=%~dp0\\node_modules\\npm\\bin\\npx-cli.js"
FOR /F "delims=" %%F IN ('CALL "%NODE_EXE%" "%NPM_PREFIX_JS%"') DO (
  SET "NPM_PREFIX_NPX_CLI_JS=%%F\\node_modules\\npm\\bin\\npx-cli.js"
)
"%NODE_EXE%" "%NPX_CLI_JS%" %*`
const SHIM = `@ECHO off
endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%"  "%dp0%\\..\\pkg\\dist\\cli.mjs" %*`

const FILES: Record<string, string> = {
  [`${NODE}\\node.exe`]: '',
  [`${NODE}\\npx.cmd`]: NPX,
  [`${NODE}\\node_modules\\npm\\bin\\npx-cli.js`]: '',
  'C:\\bin\\tool.cmd': SHIM,
  'C:\\pkg\\dist\\cli.mjs': '',
  'C:\\bin\\batch.bat': '@echo %*',
  'C:\\bin\\uvx.exe': '',
  'C:\\bin\\two.cmd': '"%dp0%\\..\\pkg\\dist\\cli.mjs" "%dp0%\\other.js" %*',
  'D:\\work\\run.cmd': '@echo %*',
}
const files = { isFile: (path: string) => path in FILES, read: (path: string) => FILES[path] ?? '' }
const env = { Path: `"${NODE}";;C:\\bin`, PATHEXT: '.COM;.EXE;.BAT;.CMD', ComSpec: 'C:\\Windows\\cmd.exe' }
const launch = (command: string, args: readonly string[] = [], more: object = {}) =>
  windowsLaunch({ command, args, env, ...more }, files)

const HOSTILE = ['"&calc&"', '%PATH%', 'a\nb', '^|<>', '{"a":1}']

test('[PROC.20] runs npx as Node with its script, and passes every argument unchanged', () => {
  const script = `${NODE}\\node_modules\\npm\\bin\\npx-cli.js`
  const expected = { command: `${NODE}\\node.exe`, args: [script, ...HOSTILE], isVerbatim: false }
  expect(launch('npx', HOSTILE)).toEqual(expected)
  expect(launch('npx.cmd', HOSTILE)).toEqual(expected)
  expect(launch(`${NODE}\\npx`, HOSTILE)).toEqual(expected)
})

test('[PROC.20] runs commands that npm installed as Node with their script', () => {
  expect(launch('tool', ['x'])).toEqual({
    ...{ command: `${NODE}\\node.exe`, args: ['C:\\pkg\\dist\\cli.mjs', 'x'], isVerbatim: false },
  })
})

test('[PROC.20] finds programs by PATH and PATHEXT, and runs them directly', () => {
  expect(launch('uvx', HOSTILE)).toEqual({ command: 'C:\\bin\\uvx.exe', args: HOSTILE, isVerbatim: false })
  expect(launch('uvx', [], { env: { PATH: 'C:\\bin' } })).toMatchObject({ command: 'C:\\bin\\uvx.exe' })
  expect(launch('uvx', [], { env: {} })).toMatchObject({ command: 'uvx' })
  expect(launch('missing', ['x'])).toEqual({ command: 'missing', args: ['x'], isVerbatim: false })
})

test('[PROC.20] runs another batch file by cmd.exe, each word quoted', () => {
  expect(launch('batch', ['a b', 'c&d', 'e\\', ''])).toEqual({
    command: 'C:\\Windows\\cmd.exe',
    args: ['/d', '/v:off', '/s', '/c', '""C:\\bin\\batch.bat" "a b" "c&d" "e\\\\" """'],
    isVerbatim: true,
  })
  expect(launch('two', ['x'])).toMatchObject({ isVerbatim: true })
  expect(launch('.\\run', [], { cwd: 'D:\\work', env: {} })).toMatchObject({
    ...{ command: 'cmd.exe', args: ['/d', '/v:off', '/s', '/c', '""D:\\work\\run.cmd""'] },
  })
})

test.each(['"', '%PATH%', 'a\r', 'a\nb'])(
  '[PROC.20] does not run a batch file with the argument %j',
  (arg) => {
    expect(launch('batch', [arg])).toBe('unsafe')
  },
)

test('[PROC.20] reads real files, and takes no folder for a program', () => {
  const file = fileURLToPath(import.meta.url)
  expect([file, `${file}.gone`, fileURLToPath(new URL('.', import.meta.url))].map(realFiles.isFile)).toEqual([
    true,
    false,
    false,
  ])
  expect(realFiles.read(file)).toContain('takes no folder for a program')
})
