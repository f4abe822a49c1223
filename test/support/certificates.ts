import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import type { TlsFiles } from '@bridgekeeper/standalone'
import { onTestFinished } from 'vitest'
import { scratch } from './scratch.ts'

export interface TestCertificate extends TlsFiles {
  /** A certificate in PEM, which clients must trust. */
  readonly cert: string
  readonly key: string
}

/** A new self-signed certificate of this machine's loopback names, made by the program `openssl`. */
export function selfSigned(name = 'localhost', days = 2): TestCertificate {
  const folder = scratch()
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  execFileSync(
    'openssl',
    [
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        String(days),
      ],
      ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},DNS:localhost,IP:127.0.0.1`],
      ['-keyout', files.keyFile, '-out', files.certFile],
    ].flat(),
    { stdio: 'ignore' },
  )
  return { ...files, cert: readFileSync(files.certFile, 'utf8'), key: readFileSync(files.keyFile, 'utf8') }
}

/** Has the clients of this process trust a certificate until the test has finished. */
export function trust({ cert }: TestCertificate): void {
  const trusted = getCACertificates('default')
  setDefaultCACertificates([...trusted, cert])
  onTestFinished(() => setDefaultCACertificates(trusted))
}
