/**
 * Checks that the tables of limits in SECURITY.md match the constants; rewrites them with `--fix`.
 *
 * Usage: node scripts/check-limits.ts [FILE] [--fix]
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkTable } from './generated-table.ts'
import { ACCOUNTS } from './limits/accounts.ts'
import { AGENTS } from './limits/agents.ts'
import { CALLS } from './limits/calls.ts'
import { MACHINE } from './limits/machine.ts'
import { SOCKETS } from './limits/sockets.ts'

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true })
const parts = { sockets: SOCKETS, calls: CALLS, agents: AGENTS, accounts: ACCOUNTS, machine: MACHINE }
const rows = Object.entries(parts).flatMap(([part, limits]) => limits.map((row) => [part, ...row]))
checkTable(
  {
    check: 'limits',
    path: positionals[0] ?? join(import.meta.dirname, '../SECURITY.md'),
    document: 'SECURITY.md',
    header: ['where', 'resource', 'bound', 'per', 'effect on the peer'],
    rows,
  },
  values.fix ?? false,
)
