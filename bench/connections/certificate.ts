import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate of this machine's loopback names, for the environment of all processes; gone with this one. */
export function certificate(): Readonly<Record<'BENCH_CERT' | 'BENCH_KEY', string>> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const files = { BENCH_CERT: join(folder, 'cert.pem'), BENCH_KEY: join(folder, 'key.pem') }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const out = ['-keyout', files.BENCH_KEY, '-out', files.BENCH_CERT]
  execFileSync('openssl', ['req', '-x509', ...key, ...names, ...out], { stdio: 'ignore' })
  return files
}
