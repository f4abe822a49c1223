import { spawnSync } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether the program `openssl` takes the signature, which is raw: for ECDSA, r and s. */
export function opensslVerifies(publicKey: KeyObject, signed: Buffer, signature: Buffer): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-'))
  const file = (name: string, content: string | Buffer): string => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
  try {
    const isEc = publicKey.asymmetricKeyType === 'ec'
    const args = [
      ['pkeyutl', '-verify', '-rawin', ...(isEc ? ['-digest', 'sha256'] : [])],
      ['-pubin', '-inkey', file('key.pem', String(publicKey.export({ format: 'pem', type: 'spki' })))],
      ['-in', file('signed', signed), '-sigfile', file('signature', isEc ? derOf(signature) : signature)],
    ].flat()
    const { status, stdout } = spawnSync('openssl', args, { encoding: 'utf8' })
    return status === 0 && stdout.includes('Verified Successfully')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** r and s as ASN.1 (RFC 3279 section 2.2.3). */
function derOf(raw: Buffer): Buffer {
  const half = raw.length / 2
  const parts = [raw.subarray(0, half), raw.subarray(half)].map((part) => {
    const number = part.subarray(part.findIndex((byte) => byte !== 0))
    const body = (number[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), number]) : number
    return Buffer.concat([Buffer.of(0x02, body.length), body])
  })
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(0x30, body.length), body])
}
