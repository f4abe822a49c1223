import type { UserOperations } from './users.ts'

/** Something of a user, with the email by which operators know the user. */
export type OfUser<T> = T & { readonly email: string }

/** Lists the entries of one user or, without an email, of all users. @throws SetupError `user_unknown` */
export async function ofUsers<T>(
  users: UserOperations,
  email: string | undefined,
  find: (userId: string) => Promise<readonly T[]>,
): Promise<readonly OfUser<T>[]> {
  const found: OfUser<T>[] = []
  for await (const user of email === undefined ? users.all() : [await users.find(email)])
    for (const one of await find(user.userId)) found.push({ ...one, email: user.email })
  return found
}
