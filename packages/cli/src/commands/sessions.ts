import type { Command } from 'commander'
import { listCommand, printRows } from '../listing.ts'
import { iso } from '../moment.ts'
import { printAs } from '../output.ts'
import { withData } from '../with-data.ts'

/** `bridgekeeper sessions [EMAIL]`: lists active logins. */
export function sessionsCommand(): Command {
  return listCommand(
    'sessions',
    'logins that have not ended, of one user or of all',
    async (email, options) => {
      const found = await withData(options, ({ operations }) => operations.sessions.list(email))
      const printed = found.map((session) => ({
        sessionId: session.sessionId,
        userId: session.userId,
        email: session.email,
        kind: session.kind,
        label: session.label,
        ...(session.deviceId !== undefined && { deviceId: session.deviceId }),
        createdAt: iso(session.createdAtMs),
        lastSeenAt: iso(session.seenAtMs),
        expiresAt: iso(session.expiresAtMs),
      }))
      if (options.json) return printAs('sessions', printed)
      printRows(
        'logins',
        ['SESSION', 'USER', 'KIND', 'LABEL', 'LAST SEEN'],
        printed.map(({ sessionId, email, kind, label, lastSeenAt }) => [
          sessionId,
          email,
          kind,
          label,
          lastSeenAt,
        ]),
      )
    },
  )
}
