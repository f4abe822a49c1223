import { ConfigError } from './config-error.ts'

/** Where values of variables come from: as `process.env`. */
export type Env = Readonly<Record<string, string | undefined>>

const VARIABLE = /\$\{(?:(input):[^}]*|(?:env:)?([A-Za-z_]\w*)(?::-([^}]*))?)\}/g

/**
 * Puts values in place of `${VAR}`, `${VAR:-default}` and `${env:VAR}`. As in a shell, the default
 * also stands in for an empty value. Any other `${` is left as it is.
 *
 * @param onValue is told every value that was put in, so that it can be kept out of logs
 * @throws ConfigError `config_variable_missing`
 */
export function substitute(text: string, env: Env, where: string, onValue: (value: string) => void): string {
  return text.replace(VARIABLE, (whole, input?: string, name?: string, fallback?: string) => {
    if (input !== undefined || name === undefined)
      throw missing(`${whole} in ${where} asks for an input, which only an editor can show.`)
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (fallback !== undefined && (value === undefined || value === '')) return fallback
    if (value === undefined) throw missing(`The variable ${name}, used in ${where}, is not set.`)
    onValue(value)
    return value
  })
}

function missing(message: string): ConfigError {
  return new ConfigError(
    'config_variable_missing',
    message,
    `Set it in the agent's environment, or write a default: \${NAME:-default}`,
  )
}
