export type ConfigErrorCode =
  | 'config_missing'
  | 'config_exposed'
  | 'config_too_large'
  | 'config_malformed'
  | 'config_no_servers'
  | 'config_duplicate_server'
  | 'config_variable_missing'
  | 'config_server_invalid'

/** The `mcpServers` file cannot be used. Its messages name variables and keys, never their values. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: ConfigErrorCode
  /** The next step, in words for a person. */
  readonly next: string

  constructor(code: ConfigErrorCode, message: string, next: string) {
    super(message)
    this.code = code
    this.next = next
  }
}
