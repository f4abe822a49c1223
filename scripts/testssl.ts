/**
 * `npm run test:tls`: lets testssl.sh look at a node's own TLS, and fails on findings of severity MEDIUM or
 * above. It takes about a minute and three at most, so it is no part of `npm test`.
 *
 * Needs the Debian package testssl.sh; installs it where it may.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realSystem } from '@bridgekeeper/bridge'
import { isObject, parseJson } from '@bridgekeeper/protocol'
import { serve, serveSettings } from '@bridgekeeper/standalone'
import { missingDebianCommand } from './debian.ts'

/** Name of the program in Debian. */
const PROGRAM = 'testssl'
const LIMIT_MS = 180_000
const CERTIFICATE_DAYS = 365
const GRAVE = ['MEDIUM', 'HIGH', 'CRITICAL']
/** A run that broke off early finds nothing bad. */
const EXPECTED_FINDINGS = 100

/** Findings of every self-signed certificate, unrelated to our TLS settings. */
const ALLOWED: Readonly<Record<string, string>> = {
  cert_chain_of_trust: 'the certificate of this run is self-signed',
  cert_revocation: 'nobody could revoke a self-signed certificate',
}

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-testssl-'))
try {
  process.exitCode = await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function main(): Promise<number> {
  const missing = missingDebianCommand(PROGRAM, 'testssl.sh')
  if (missing !== undefined) {
    console.error(missing)
    return 1
  }
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  makeCertificate(tls)
  const node = await serve({
    settings: serveSettings({
      flags: { port: '0', data: join(folder, 'data'), tlsCert: tls.certFile, tlsKey: tls.keyFile },
      env: {},
    }),
    env: {},
    system: realSystem(),
  })
  try {
    const report = join(folder, 'report.json')
    console.log(`${PROGRAM} looks at ${node.url}; this takes about a minute…`)
    await look(Number(new URL(node.url).port), report)
    return judge(findingsIn(report))
  } finally {
    await node.close()
  }
}

function makeCertificate({ certFile, keyFile }: { certFile: string; keyFile: string }): void {
  const { status, stderr } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-days', String(CERTIFICATE_DAYS), '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', keyFile, '-out', certFile],
  ])
  if (status !== 0) throw new Error(`openssl could not make a certificate: ${String(stderr)}`)
}

/** Resolves once testssl.sh has ended, or is killed at the limit with all its processes. */
function look(port: number, report: string): Promise<void> {
  const args = ['--quiet', '--warnings', 'batch', '--color', '0', '--ip', '127.0.0.1', '--nodns', 'none']
  const waits = ['--connect-timeout', '5', '--openssl-timeout', '5']
  const child = spawn(PROGRAM, [...args, ...waits, '--jsonfile', report, `https://localhost:${port}`], {
    stdio: 'ignore',
    detached: true,
  })
  const timer = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }, LIMIT_MS)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function findingsIn(report: string): readonly Finding[] {
  const value = parseJson(readFileSync(report, 'utf8'))?.value
  return Array.isArray(value) ? value.filter(isFinding) : []
}

function isFinding(value: unknown): value is Finding {
  return isObject(value) && ['id', 'severity', 'finding'].every((name) => typeof value[name] === 'string')
}

function judge(findings: readonly Finding[]): number {
  const grave = findings.filter(({ severity }) => GRAVE.includes(severity))
  const bad = grave.filter(({ id }) => !Object.hasOwn(ALLOWED, id))
  for (const { id, severity, finding } of grave)
    console.log(`${severity.padEnd(8)} ${id}: ${finding}${id in ALLOWED ? ` (allowed: ${ALLOWED[id]})` : ''}`)
  if (findings.length < EXPECTED_FINDINGS) {
    console.error(`testssl.sh did not come to its end: only ${findings.length} findings.`)
    return 1
  }
  console.log(`${findings.length} findings, ${bad.length} of severity MEDIUM or above that are not allowed.`)
  return bad.length === 0 ? 0 : 1
}
