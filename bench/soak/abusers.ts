/** The process of all abusers. It ends with its parent, and tells it at the end what was answered. */
import { Abuser } from './abuse.ts'
import { ABUSES } from './kinds.ts'
import type { SoakUser } from './node.ts'

/** Order that the parent sends once. */
export interface AbuseOrder {
  readonly port: number
  readonly abusers: readonly { readonly kind: string; readonly from: string; readonly user: SoakUser }[]
}

/** By kind, how often each status or error was answered. */
export type Answers = Readonly<Record<string, Readonly<Record<string, number>>>>

const abusers: Abuser[] = []

process.on('disconnect', () => process.exit(0))
process.on('message', (message: AbuseOrder | 'report') => {
  if (message === 'report') process.send?.(reportOf(abusers))
  else begin(message)
})

function begin({ port, abusers: ordered }: AbuseOrder): void {
  for (const { kind, from, user } of ordered) {
    const abuser = new Abuser(kind, port, from, user)
    abusers.push(abuser)
    Promise.resolve(ABUSES[kind]?.(abuser)).catch((error: Error) => abuser.count(error.message))
  }
}

function reportOf(all: readonly Abuser[]): Answers {
  const byKind: Record<string, Record<string, number>> = {}
  for (const { kind, answers } of all) {
    const sums = byKind[kind] ?? {}
    for (const [answer, count] of Object.entries(answers)) sums[answer] = (sums[answer] ?? 0) + count
    byKind[kind] = sums
  }
  return byKind
}
