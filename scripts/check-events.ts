/**
 * Checks that docs/security-events.md says what the table of events says; rewrites it with `--fix`.
 *
 * Usage: node scripts/check-events.ts [FILE] [--fix]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { securityEvents } from '../packages/server/src/security-log/events.ts'

const BEGIN = '<!-- made by npm run check -- events --fix -->'
const END = '<!-- end -->'

const { values, positionals } = parseArgs({ options: { fix: { type: 'boolean' } }, allowPositionals: true })
const path = positionals[0] ?? join(import.meta.dirname, '../docs/security-events.md')
const text = readFileSync(path, 'utf8')
const begin = text.indexOf(BEGIN)
const end = text.indexOf(END)
const wanted = text.slice(0, begin + BEGIN.length) + table() + text.slice(end)

if (begin === -1 || end < begin) fail('the marks around its table are missing')
else if (text === wanted) console.log(`events: ${Object.keys(securityEvents).length}, all in the page`)
else if (values.fix) writeFileSync(path, wanted)
else fail('is stale: npm run check -- events --fix')

function table(): string {
  const rows = Object.entries(securityEvents).map(([name, { severity, when, fields }]) => {
    const list = Object.entries<string>(fields).map(([field, kind]) => `\`${field}\` ${kind}`)
    return `| \`${name}\` | ${severity} | ${when} | ${list.join(', ')} |`
  })
  return `\n\n| event | severity | written when | fields, in order |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\n`
}

function fail(reason: string): void {
  console.log(`docs/security-events.md:1  events  ${reason}`)
  process.exitCode = 1
}
