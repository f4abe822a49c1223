import { type Ablation, attack, gate, text } from './ablation.ts'

/** Protections of accounts and browsers' logins. */
export const ACCOUNT_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'accounts: what a peer wrote is escaped',
    edits: [gate('standalone/web/html.ts', 'written', "if (typeof value === 'string') return value")],
    tests: attack('login-csrf'),
  },
  {
    gate: 'accounts: a form comes from our own origin',
    edits: [gate('standalone/web/csrf.ts', 'isOwnOrigin', 'return true')],
    tests: attack('login-csrf'),
  },
  {
    gate: 'accounts: a form brings the token of its login',
    edits: [gate('standalone/web/csrf.ts', 'isFormToken', 'return true')],
    tests: attack('login-csrf'),
  },
  {
    gate: 'accounts: a login leads to no other origin',
    edits: [gate('standalone/web/site.ts', 'localPath', 'return text ?? otherwise')],
    tests: attack('login-csrf'),
  },
  {
    gate: 'accounts: what the provider told is for the login that asked',
    edits: [gate('standalone/accounts/login-provider-routes.ts', 'foundPurpose', "return 'found'")],
    tests: ['test/accounts/provider.test.ts'],
  },
  {
    gate: 'accounts: nobody takes as long as somebody',
    edits: [
      text(
        'standalone/passwords/passwords.ts',
        'const isRight = await',
        'if (known === undefined) return false\n    const isRight = await',
      ),
    ],
    tests: attack('login-guessing'),
  },
  {
    gate: 'accounts: checks of one address at once',
    edits: [
      text('bridge/admission/address-guard.ts', 'checks.running < this.#left(key)', 'checks.running < 1_000'),
    ],
    tests: attack('bursts'),
  },
  {
    gate: 'accounts: a block refuses those that wait',
    edits: [text('bridge/admission/address-guard.ts', 'if (unblocked.allowed) return', 'return')],
    tests: attack('bursts'),
  },
  {
    gate: 'accounts: addresses take turns at passwords',
    edits: [
      text('standalone/passwords/fair-turns.ts', 'this.#queues.get(asker)', "this.#queues.get('')"),
      text(
        'standalone/passwords/fair-turns.ts',
        'this.#queues.set(asker, queue)\n    this.#waiting++',
        "this.#queues.set('', queue)\n    this.#waiting++",
      ),
    ],
    tests: ['test/accounts/passwords.test.ts'],
  },
  {
    gate: 'accounts: so many tries',
    edits: [gate('standalone/accounts/login-limits.ts', '#take', 'return allow(undefined)')],
    tests: attack('login-guessing'),
  },
  {
    gate: 'accounts: wrong logins count against their address',
    edits: [text('standalone/accounts/login-limits.ts', 'if (counted) this.#door.failed(address)', '')],
    tests: attack('login-guessing'),
  },
  {
    gate: "accounts: a provider's answer is no guess",
    edits: [text('standalone/accounts/login-limits.ts', 'GUESSES.has(reason) && ', '')],
    tests: ['test/accounts/provider.test.ts'],
  },
  {
    gate: 'accounts: a refresh token that is used again ends its login',
    edits: [
      text(
        'standalone/browser/browser-sessions.ts',
        'if (nowMs - (redeemed.usedAtMs ?? 0) <= GRACE_MS) return',
        'return',
      ),
    ],
    tests: attack('login-sessions'),
  },
  {
    gate: 'accounts: a token ends with its login',
    edits: [
      text('bridge/tokens/tokens.ts', 'if (!(await isOpen(sessions, sid, sub, system)))', 'if (false)'),
    ],
    tests: attack('login-sessions'),
  },
  {
    gate: 'accounts: who is suspended renews nothing',
    edits: [text('standalone/browser/browser-sessions.ts', "user?.state !== 'active'", 'user === undefined')],
    tests: attack('login-sessions'),
  },
  {
    gate: "accounts: an operator's token manages no account",
    edits: [
      text('standalone/browser/browser-sessions.ts', "session?.kind !== 'browser'", 'session === undefined'),
    ],
    tests: ['test/accounts/logins.test.ts'],
  },
  {
    gate: 'accounts: a code counts once',
    edits: [
      text(
        'standalone/accounts/totp.ts',
        'return step !== undefined && (await this.#credentials.useTotpStep(userId, step))',
        'return step !== undefined',
      ),
    ],
    tests: ['test/accounts/totp.test.ts'],
  },
  {
    gate: 'accounts: what a stolen login must not do takes the password',
    edits: [gate('standalone/accounts/confirm.ts', 'confirmationProblem', 'return undefined')],
    tests: ['test/accounts/account.test.ts'],
  },
  {
    gate: 'accounts: lasting access takes a recent login',
    edits: [gate('standalone/browser/recent-login.ts', 'requireRecentLogin', 'return true')],
    tests: attack('stolen-cookie'),
  },
  {
    gate: 'accounts: an app is allowed within five minutes of a login',
    edits: [
      text(
        'standalone/oauth/interactions.ts',
        'if (!requireRecentLogin(this.#parts, visit, loggedIn, visit.path)) return',
        '',
      ),
    ],
    tests: attack('stolen-cookie'),
  },
  {
    gate: 'accounts: a machine is approved within five minutes of a login',
    edits: [
      text(
        'standalone/oauth/device-entry.ts',
        'if (isPage && !requireRecentLogin',
        'if (false && !requireRecentLogin',
      ),
    ],
    tests: attack('stolen-cookie'),
  },
  {
    gate: 'accounts: a new password ends apps and machines',
    edits: [
      text(
        'standalone/operations/sessions.ts',
        'groups.includes(groupOf(session))',
        "groupOf(session) === 'logins'",
      ),
    ],
    tests: ['test/accounts/account.test.ts'],
  },
  {
    gate: 'accounts: a session renews so often',
    edits: [
      text(
        'standalone/browser/browser-sessions.ts',
        'presented !== undefined && !this.#renewals',
        'false && !this.#renewals',
      ),
    ],
    tests: attack('growing-tables'),
  },
  {
    gate: 'accounts: a refresh token needs our MAC',
    edits: [
      text(
        'standalone/browser/refresh-token.ts',
        'given.length === wanted.length && timingSafeEqual(given, wanted)',
        "digits !== ''",
      ),
    ],
    tests: attack('growing-tables'),
  },
  {
    gate: 'accounts: so many logins of one user',
    edits: [gate('standalone/sessions/login-sessions.ts', '#displaceIdlest', 'return')],
    tests: attack('growing-tables'),
  },
  {
    gate: 'accounts: a user logs in so often',
    edits: [gate('standalone/accounts/login-limits.ts', 'login', 'return allow(undefined)')],
    tests: attack('growing-tables'),
  },
  {
    gate: 'accounts: so many passkeys of one user',
    edits: [text('standalone/accounts/passkeys.ts', 'if (known.length >= MAX_PASSKEYS)', 'if (false)')],
    tests: attack('growing-tables'),
  },
  {
    gate: 'accounts: so many links of one user',
    edits: [
      text('standalone/accounts/login-provider-routes.ts', 'if (links.length >= MAX_LINKS)', 'if (false)'),
    ],
    tests: ['test/accounts/provider.test.ts'],
  },
  {
    gate: 'devices: so many good keys of one machine',
    edits: [text('bridge/devices/device-registry.ts', 'if (good.length >= MAX_GOOD_KEYS)', 'if (false)')],
    tests: ['packages/bridge/test/devices.test.ts'],
  },
  {
    gate: 'devices: so many machines of one user, enrolled at once',
    edits: [
      text(
        'bridge/devices/device-registry.ts',
        '(await devices.ofUser(userId)).length > MAX_DEVICES',
        'false',
      ),
    ],
    tests: ['packages/bridge/test/devices.test.ts'],
  },
  {
    gate: 'operations: who suspended a user is recorded',
    edits: [
      text(
        'standalone/operations/users.ts',
        "event: 'user_suspended', userId, ...actor",
        "event: 'user_suspended', userId",
      ),
    ],
    tests: ['packages/standalone/test/operations.test.ts', 'test/accounts/account.test.ts'],
  },
  {
    gate: 'operations: a look at the lock leaves it to a node that starts',
    edits: [text('standalone/adapters/process-lock.ts', 'const WAIT_MS = 250', 'const WAIT_MS = 0')],
    tests: ['packages/standalone/test/process-lock.test.ts'],
  },
  {
    gate: 'accounts: sessions of others',
    edits: [text('standalone/accounts/account-routes.ts', 'session.userId !== userId', 'false')],
    tests: ['test/accounts/account.test.ts'],
  },
  {
    gate: 'accounts: machines of others',
    edits: [
      text('standalone/accounts/account-routes.ts', 'device.userId !== sent.loggedIn.user.userId', 'false'),
    ],
    tests: ['test/accounts/account.test.ts'],
  },
  {
    gate: 'accounts: who is an admin',
    edits: [text('standalone/accounts/users-routes.ts', "user.role !== 'admin' || other", 'other')],
    tests: ['test/accounts/account.test.ts'],
  },
  {
    gate: 'accounts: a passkey answers one question',
    edits: [
      text(
        'standalone/accounts/passkeys.ts',
        'inTime && this.#answered.take(challenge, this.#system.monotonicMs())',
        'inTime',
      ),
    ],
    tests: ['test/accounts/passkeys.test.ts'],
  },
  {
    gate: "accounts: a provider's email takes over no account",
    edits: [
      text(
        'standalone/accounts/login-provider-routes.ts',
        "if (added === undefined) return 'provider_user_unknown'",
        "if (added === undefined) return (await users.findByEmail(verifiedEmail)) ?? 'provider_user_unknown'",
      ),
    ],
    tests: ['test/accounts/provider.test.ts'],
  },
]
