import { type SettingSource, secret } from '@bridgekeeper/standalone/settings'
import { UsageError } from '../usage-error.ts'
import { bridgeUrlSetting } from './bridge-url.ts'

export const tokenSetting = secret({
  flag: '--token <token>',
  variable: 'BRIDGEKEEPER_TOKEN',
  help: 'access token; a variable keeps it out of the process list',
})

/** Settings of `tools` and `call`. */
export const CALLER = { url: bridgeUrlSetting, token: tokenSetting }

/**
 * The access token, read again at each call: a replaced file is used from then on.
 * @throws UsageError `token_missing` @throws SetupError
 */
export function demandToken(source: SettingSource): string {
  const given = tokenSetting.read(source)
  if (given !== undefined) return given
  throw new UsageError(
    'The token is missing.',
    'Set BRIDGEKEEPER_TOKEN (or --token); issue one on the machine of the bridge: bridgekeeper token issue EMAIL',
    'token_missing',
  )
}
