import { ConfigError } from './config-error.ts'

/** Error of one entry. @param why the member and what is wrong with it, without its value */
export function invalidEntry(
  name: string,
  why: string,
  next = 'An entry needs a "command", and may have "args", "env" and "cwd".',
): ConfigError {
  return new ConfigError(
    'config_server_invalid',
    `The server "${name}" in the config file is not valid: ${why}.`,
    next,
  )
}
