import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { readBridgeUrl, secretExposure } from '@bridgekeeper/protocol'
import { UsageError } from './usage-error.ts'

const DEFAULT_PORT = 8787
const DEFAULT_DATA_FOLDER = '.bridgekeeper'

/** `--data`, else `BRIDGEKEEPER_DATA`, else `.bridgekeeper` in the current folder. */
export function dataFolder(option: string | undefined): string {
  return option ?? process.env.BRIDGEKEEPER_DATA ?? DEFAULT_DATA_FOLDER
}

/** `--port`, else `PORT`, else 8787. @throws UsageError */
export function port(option: string | undefined): number {
  const text = option ?? process.env.PORT
  if (text === undefined || text === '') return DEFAULT_PORT
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= 65_535) return value
  throw new UsageError(`${JSON.stringify(text)} is no port.`, 'Give a number from 0 to 65535.')
}

/**
 * `--url`, else `BRIDGEKEEPER_URL`, else this machine's default port: see `readBridgeUrl`. Without a slash at its end,
 * as a bridge may stand under a path. An address that is refused is not repeated: it may hold a password.
 * @throws UsageError
 */
export function bridgeUrl(option: string | undefined): string {
  const text = option ?? process.env.BRIDGEKEEPER_URL ?? `http://127.0.0.1:${port(undefined)}`
  const url = readBridgeUrl(text)
  if (url === undefined)
    throw new UsageError(
      "The bridge's URL is not an http(s) address.",
      'Give one like http://127.0.0.1:8787.',
    )
  if (url.username + url.password + url.search + url.hash !== '') {
    throw new UsageError(
      "The bridge's URL carries more than an address: URLs end up in logs.",
      'Leave out user name, password, query and fragment; the token goes into BRIDGEKEEPER_TOKEN (or --token).',
    )
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

/**
 * `--token`, else `BRIDGEKEEPER_TOKEN`, else the content of the file `BRIDGEKEEPER_TOKEN_FILE`, read
 * anew each time so that a replaced token is picked up; `undefined` where there is none.
 * @throws UsageError
 */
export function givenToken(option: string | undefined): string | undefined {
  const given = option ?? process.env.BRIDGEKEEPER_TOKEN ?? tokenFromFile(process.env.BRIDGEKEEPER_TOKEN_FILE)
  return given === '' ? undefined : given
}

/** The same where there must be one. @throws UsageError */
export function token(option: string | undefined): string {
  const given = givenToken(option)
  if (given !== undefined) return given
  throw new UsageError(
    'There is no token.',
    'Set BRIDGEKEEPER_TOKEN (or --token); get one where the bridge runs: bridgekeeper token issue EMAIL',
    'token_missing',
  )
}

function tokenFromFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    const exposure = secretExposure(path, fstatSync(fd), process.geteuid?.())
    if (exposure === undefined) return readFileSync(fd, 'utf8').trim()
    throw new UsageError(
      `BRIDGEKEEPER_TOKEN_FILE ${path} is not used: ${exposure.problem}.`,
      `Others may have read or replaced it. If not: ${exposure.command}`,
      'rights_unsafe',
    )
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`BRIDGEKEEPER_TOKEN_FILE ${path} cannot be read.`, 'Check the path and its rights.')
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** The words of `--scope`; what each may be is for the bridge to say. */
export function scopes(option: string | undefined): readonly string[] | undefined {
  return option?.split(' ').filter((scope) => scope !== '')
}
