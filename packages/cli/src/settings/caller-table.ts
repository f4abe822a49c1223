import { type SettingSource, SetupError, secret } from '@bridgekeeper/standalone/settings'
import { UsageError } from '../usage-error.ts'
import { bridgeUrlSetting } from './bridge-url.ts'

export const tokenSetting = secret({
  flag: '--token <token>',
  variable: 'BRIDGEKEEPER_TOKEN',
  help: 'access token; a variable keeps it out of the process list',
})

/** Matches a token that a header can carry. Source: RFC 6750 section 2.1 */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/

/** Settings of `tools` and `call`. */
export const CALLER = { url: bridgeUrlSetting, token: tokenSetting }

/**
 * Reads the access token, at each call in case its file was replaced.
 * @throws UsageError `token_missing` @throws SetupError
 */
export function demandToken(source: SettingSource): string {
  const given = tokenSetting.read(source)
  if (given !== undefined) return demandBearer(given)
  throw new UsageError(
    'The token is missing.',
    'Set BRIDGEKEEPER_TOKEN (or --token); issue one on the machine of the bridge: bridgekeeper token issue EMAIL',
    'token_missing',
  )
}

/** [CLI.8] Checks a token before it is set as a header, since the error of an invalid header would print it. */
function demandBearer(given: string): string {
  if (BEARER_TOKEN.test(given)) return given
  throw new SetupError(
    'setting_invalid',
    'BRIDGEKEEPER_TOKEN (or --token) must be a token alone, without spaces, line breaks or a table around it.',
    'Set it to the "accessToken" of: bridgekeeper token issue EMAIL --json',
  )
}
