import { statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { unreachable } from '@bridgekeeper/protocol'
import { BATCH_ERRNO, type ProcessSpec } from './server-process.ts'
import type { TransportEnd } from './stdio-transport.ts'

const STAY = ' A server must keep running in the foreground and read its standard input; docker needs "-i".'

/** Matches programs that only Windows has, as a file of a team may name them on every machine. */
const OF_WINDOWS = /^[A-Za-z]:[\\/]|\.(?:exe|cmd|bat)$|^(?:cmd|powershell)$/i

/** Describes to the user why a server is unavailable. */
export function describeEnd(end: TransportEnd, spec: ProcessSpec, when: 'starting' | 'ready'): string {
  const during = when === 'starting' ? ' during its start' : ''
  switch (end.kind) {
    case 'not-started':
      return describeNoStart(end.errno, spec)
    case 'exited':
      return `It ended${during} with exit code ${end.exitCode}.${end.exitCode === 0 && when === 'starting' ? STAY : ''}`
    case 'killed':
      return `It was ended${during} by ${end.signal}.`
    case 'broken':
      return `It was stopped, because ${end.detail}.`
    default:
      return unreachable(end)
  }
}

/** Whether starting it again soon is pointless: something must be installed first. */
export function isMissing(end: TransportEnd): boolean {
  return end.kind === 'not-started' && end.errno === 'ENOENT'
}

function describeNoStart(errno: string, spec: ProcessSpec): string {
  if (errno === BATCH_ERRNO) {
    return `The program "${spec.command}" is a batch file, and an argument has a quote, a percent sign or a line break, which a batch file cannot receive unchanged. Set "command" to the program that it starts.`
  }
  // A missing folder and a missing program give the same error.
  if (spec.cwd !== undefined && kindOf(spec.cwd) === 'missing')
    return `Its folder "${spec.cwd}" does not exist.`
  if (spec.cwd !== undefined && kindOf(spec.cwd) === 'file')
    return `Its folder "${spec.cwd}" is a file. Correct "cwd".`
  const isPath = /[/\\]/.test(spec.command)
  const kind = isPath ? kindOf(resolve(spec.cwd ?? '.', spec.command)) : 'missing'
  if (kind === 'folder') return `The program "${spec.command}" is a folder. Correct "command".`
  if (errno === 'EACCES')
    return `The program "${spec.command}" is not executable (EACCES). Make it executable.`
  if (errno !== 'ENOENT') return `The program "${spec.command}" could not be started (${errno}).`
  if (kind === 'file')
    return `The program "${spec.command}" exists, but the interpreter in its first line (#!) was not found. Install it, correct that line, or save the file with Unix line ends.`
  if (process.platform !== 'win32' && OF_WINDOWS.test(spec.command))
    return `The program "${spec.command}" exists on Windows only. Set "command" to the program of this machine: "npx" instead of "npx.cmd" or "cmd /c npx".`
  const isRelative = isPath && !isAbsolute(spec.command)
  if (isRelative)
    return `The program "${spec.command}" was not found in the folder "${resolve(spec.cwd ?? '.')}". Correct "command", or set "cwd" to the folder in which its path begins.`
  return `The program "${spec.command}" was not found. Install it, or correct "command".`
}

function kindOf(path: string): 'file' | 'folder' | 'missing' {
  try {
    return statSync(path).isDirectory() ? 'folder' : 'file'
  } catch {
    return 'missing'
  }
}
