import { existsSync } from 'node:fs'
import { unreachable } from '@bridgekeeper/protocol'
import { BATCH_ERRNO, type ProcessSpec } from './server-process.ts'
import type { TransportEnd } from './stdio-transport.ts'

/** Describes to the user why a server is unavailable. */
export function describeEnd(end: TransportEnd, spec: ProcessSpec, when: 'starting' | 'ready'): string {
  const during = when === 'starting' ? ' during its start' : ''
  switch (end.kind) {
    case 'not-started':
      return describeNoStart(end.errno, spec)
    case 'exited':
      return `It ended${during} with exit code ${end.exitCode}.`
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
  if (errno === 'EACCES')
    return `The program "${spec.command}" is not executable (EACCES). Make it executable.`
  if (errno !== 'ENOENT') return `The program "${spec.command}" could not be started (${errno}).`
  // A missing folder and a missing program give the same error.
  if (spec.cwd !== undefined && !existsSync(spec.cwd)) return `Its folder "${spec.cwd}" does not exist.`
  return `The program "${spec.command}" was not found. Install it, or correct "command".`
}
