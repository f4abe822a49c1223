/**
 * Runs real clients and published servers through bridge and agent, and checks that docs/interop-clients.md shows the
 * outcomes; rewrites its tables with `--fix`. Installs the packages that are not part of our set-up.
 *
 * Usage: npm run interop [-- clients|servers|nginx] [--fix]
 */
import { parseArgs } from 'node:util'
import { checkClients } from './check-clients.ts'
import { checkServers } from './check-servers.ts'
import { checkNginx } from './nginx.ts'

const { values, positionals } = parseArgs({
  options: { fix: { type: 'boolean' } },
  allowPositionals: true,
})
const [part = 'clients'] = positionals
const fix = values.fix ?? false
switch (part) {
  case 'clients':
    checkClients(fix)
    break
  case 'servers':
    await checkServers(fix)
    break
  case 'nginx':
    await checkNginx()
    break
  default:
    console.error(`Usage: npm run interop [-- clients|servers|nginx] [--fix], got "${part}".`)
    process.exitCode = 1
}
