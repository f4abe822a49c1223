#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { findNode24, NODE_24_MISSING, runs } from './node24.mjs'
import { endAs, standIn, whenNpmEnds } from './stand-in.mjs'

const source = new URL('../src/main.ts', import.meta.url)
const built = new URL('../src/main.js', import.meta.url)
const main = existsSync(source) ? source : built

if (runs(process.versions.node, main)) {
  whenNpmEnds(() => process.kill(process.pid, 'SIGTERM'))
  await import(main.href)
} else {
  const node24 = findNode24()
  if (node24 === undefined) {
    console.error(NODE_24_MISSING)
    process.exit(1)
  }
  // This file again, under the name by which it was called: hints repeat that name.
  endAs(await standIn(node24, process.argv.slice(1), { tied: true }))
}
