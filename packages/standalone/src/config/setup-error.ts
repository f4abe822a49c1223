/** Why a bridge could not start or a command could not act, and what to do next. */
export class SetupError extends Error {
  override readonly name = 'SetupError'
  readonly code: SetupErrorCode
  readonly next: string

  constructor(code: SetupErrorCode, message: string, next: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.next = next
  }
}

export type SetupErrorCode =
  | 'secret_missing'
  | 'secret_too_short'
  | 'secret_unreadable'
  | 'secret_mismatch'
  | 'rights_unsafe'
  | 'keys_unusable'
  | 'setting_invalid'
  | 'data_folder_missing'
  | 'data_folder_unusable'
  | 'data_folder_busy'
  | 'database_unusable'
  | 'database_newer'
  | 'log_unusable'
  | 'log_missing'
  | 'port_taken'
  | 'address_unusable'
  | 'email_invalid'
  | 'user_exists'
  | 'user_unknown'
  | 'password_refused'
  | 'session_unknown'
  | 'device_unknown'
  | 'address_invalid'
  | 'block_unknown'
  | 'scope_invalid'
  | 'tls_unusable'
  | 'tls_cert_missing'
  | 'tls_off_in_production'
  | 'trusted_proxy_missing'
  | 'public_url_missing'
