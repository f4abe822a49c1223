import type { IssuedToken, User } from '@bridgekeeper/bridge'
import { type DataFolder, OPERATOR } from '@bridgekeeper/standalone'

/** `user add` without a process. */
export function addUser({ operations }: DataFolder, email: string): Promise<User> {
  return operations.users.add(email, OPERATOR)
}

/** `token issue` without a process. */
export async function issueToken(
  { operations }: DataFolder,
  email: string,
  ttlMs: number,
  scopes?: readonly string[],
): Promise<IssuedToken> {
  return operations.tokens.issue(await operations.users.find(email), ttlMs, scopes, OPERATOR)
}

/** `user suspend` or `user resume` without a process. */
export async function setUserState(
  { operations: { users } }: DataFolder,
  email: string,
  state: User['state'],
): Promise<User> {
  const user = await users.find(email)
  return state === 'suspended' ? users.suspend(user, OPERATOR) : users.resume(user, OPERATOR)
}

/** `user logout` without a process. */
export async function logOutUser({ operations }: DataFolder, email: string): Promise<User> {
  return operations.revocations.logOut(await operations.users.find(email), OPERATOR)
}
