/**
 * Checks that docs/security-events.md says what the table of events says; rewrites it with `--fix`.
 *
 * Usage: node scripts/check-events.ts [FILE] [--fix]
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { securityEvents } from '@bridgekeeper/bridge'
import { checkTable } from './generated-table.ts'

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true })
const rows = Object.entries(securityEvents).map(([name, { severity, when, fields }]) => {
  const list = Object.entries<string>(fields).map(([field, kind]) => `\`${field}\` ${kind}`)
  return [`\`${name}\``, severity, when, list.join(', ')]
})
checkTable(
  {
    check: 'events',
    path: positionals[0] ?? join(import.meta.dirname, '../docs/security-events.md'),
    document: 'docs/security-events.md',
    header: ['event', 'severity', 'written when', 'fields, in order'],
    rows,
  },
  values.fix ?? false,
)
