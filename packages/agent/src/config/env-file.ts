import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { trustExposure } from '@bridgekeeper/protocol'

export type EnvFile =
  | { readonly ok: true; readonly env: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly reason: string }

const MAX_BYTES = 1_048_576

/** Reads a file of variables, one `NAME=value` per line, as VS Code and Cursor do. */
export function readEnvFile(path: string): EnvFile {
  try {
    // Opening anything else, such as a named pipe, could wait for ever.
    if (!statSync(path).isFile()) return { ok: false, reason: 'is not a regular file' }
    const file = openSync(path, 'r')
    try {
      return readOpen(path, file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return { ok: false, reason: `cannot be read (${codeOf(error)})` }
  }
}

/** A variable may name a program to load, so the file decides what this user runs. */
function readOpen(path: string, file: number): EnvFile {
  const found = fstatSync(file)
  const exposure = trustExposure(path, found, process.geteuid?.())
  if (exposure !== undefined)
    return { ok: false, reason: `is not used: ${exposure.problem}; try: ${exposure.command}` }
  if (found.size > MAX_BYTES) return { ok: false, reason: `has more than ${MAX_BYTES} bytes` }
  const env = parseEnv(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''))
  return { ok: true, env: Object.fromEntries(Object.entries(env).map(([name, value = '']) => [name, value])) }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
