import type { ServerResponse } from 'node:http'
import type { Login, Use } from '../admission/logins.ts'
import { deny } from '../gates/verdict.ts'
import type { SecurityLog } from '../ports.ts'
import { sendRefusal } from './respond.ts'

/** A caller's request, from the moment it is admitted until it is answered, or its login is revoked. */
export class OpenRequest implements Use {
  place = 0
  readonly response: ServerResponse
  readonly #log: SecurityLog
  #login: Login | undefined
  #cancel: (() => void) | undefined

  constructor(response: ServerResponse, log: SecurityLog) {
    this.response = response
    this.#log = log
  }

  /** @returns whether it is open: not where its login was revoked meanwhile */
  openAt(login: Login): boolean {
    if (!login.open(this)) return false
    this.#login = login
    this.response.on('close', () => {
      login.close(this)
      this.#cancel?.()
    })
    return true
  }

  /**
   * Whether its login was revoked: nothing more may be sent. The login is asked, since other uses of it end
   * before this one hears, and what they end may be what this one waits for.
   */
  get hasEnded(): boolean {
    return this.#login?.revoked === true
  }

  /** What is to be cancelled when the caller goes away or may no longer ask. */
  onEnd(cancel: () => void): void {
    this.#cancel = cancel
  }

  /** [REVOKE.2] What runs is cancelled, and its caller hears why, where it has heard nothing yet. */
  revoked(): void {
    this.#cancel?.()
    this.#log.afterWritten(() => {
      if (this.response.headersSent) this.response.destroy()
      else sendRefusal(this.response, deny('login_revoked'))
    })
  }
}
