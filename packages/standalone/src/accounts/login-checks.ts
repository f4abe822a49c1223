import type { Denied, User } from '@bridgekeeper/bridge'
import { denyFor } from '@bridgekeeper/bridge/parts'
import { PasswordsBusy } from '../passwords/passwords.ts'
import type { Visit } from '../web/visit.ts'
import type { Attempt } from './login-limits.ts'
import type { Pages } from './parts.ts'

const BUSY_MS = 2_000

/** The user who gave the right password or code; `undefined` after a wrong one. */
interface Checked {
  readonly user?: User | undefined
  readonly denied?: Denied
}

/** [ACCT.3] [LIMIT.1] Finds the user with this password. Takes the same time for an unknown user. */
export async function checkPassword(
  { users, passwords, limits }: Pages,
  { address }: Visit,
  email: string,
  password: string,
): Promise<Checked> {
  const user = await users.findByEmail(email)
  const attempt: Attempt = { kind: 'password', account: email.toLowerCase(), userId: user?.userId }
  const begun = await limits.begin(attempt, address)
  if (!begun.allowed) return { denied: begun }
  try {
    if (await passwords.check(user?.userId, password, address.key)) {
      limits.passed(attempt, address)
      return { user }
    }
    limits.failed(user === undefined ? 'user_unknown' : 'password_wrong', address, user?.userId)
    return {}
  } catch (error) {
    if (error instanceof PasswordsBusy) return { denied: denyFor('login_limited', BUSY_MS) }
    throw error
  } finally {
    begun.value()
  }
}

/** [LIMIT.2] Checks the code. @returns its user, if the user may log in */
export async function checkCode(
  pages: Pages,
  { address }: Visit,
  userId: string,
  code: string,
): Promise<Checked> {
  const { users, credentials, totp, limits } = pages
  const attempt: Attempt = { kind: 'code', account: userId, userId }
  const begun = await limits.begin(attempt, address)
  if (!begun.allowed) return { denied: begun }
  try {
    const user = await users.findById(userId)
    const known = await credentials.find(userId)
    const isRight = known !== undefined && (await totp.check(known, code))
    if (user?.state === 'active' && isRight) {
      limits.passed(attempt, address)
      return { user }
    }
    limits.failed('code_wrong', address, userId)
    return {}
  } finally {
    begun.value()
  }
}
