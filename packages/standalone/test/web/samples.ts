import { siteOf } from '../../src/web/site.ts'

export const NOW_MS = Date.UTC(2030, 0, 2, 3, 4, 5)
export const HOUR_MS = 3_600_000
export const site = siteOf('https://bridge.example.com/base')
const user = {
  userId: 'user_ann',
  email: 'ann@example.com',
  tokenVersion: 0,
  createdAtMs: 0,
  state: 'active',
  role: 'user',
} as const
export const session = {
  sessionId: 'own',
  userId: 'user_ann',
  kind: 'browser',
  label: 'Firefox on Linux',
  createdAtMs: NOW_MS - 2 * HOUR_MS,
  seenAtMs: NOW_MS - HOUR_MS,
  expiresAtMs: NOW_MS + HOUR_MS,
} as const
export const loggedIn = { user, session, formToken: 'TOKEN' }
export const passkey = {
  credentialId: 'id&',
  userId: 'user_ann',
  name: 'my\u202ephone',
  publicKey: '',
  counter: 0,
  transports: [],
  createdAtMs: NOW_MS - HOUR_MS,
}
