/**
 * `npm run bench:connections [-- revocation] [-- handshake] [-- memory] [-- calls]`: what a connection costs before any
 * call goes over it, beside a bare `ws` server, how soon a revocation closes it, and what calls cost beside many idle
 * connections. The record: ../RESULTS.md.
 */
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { calls } from './calls.ts'
import { handshake } from './handshake.ts'
import { memory } from './memory.ts'
import { revocation } from './revocation.ts'

const PARTS = { revocation, handshake, memory, calls } as const

const { positionals } = parseArgs({ allowPositionals: true })
const unknown = positionals.find((name) => !Object.hasOwn(PARTS, name))
if (unknown !== undefined) throw new Error(`It knows ${Object.keys(PARTS).join(', ')}, not "${unknown}".`)
console.log(`${describeMachine()}\n`)
for (const [name, measure] of Object.entries(PARTS)) {
  if (positionals.length === 0 || positionals.includes(name)) console.log(`${await measure()}\n`)
}
