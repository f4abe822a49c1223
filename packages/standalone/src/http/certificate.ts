import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { System } from '@bridgekeeper/bridge'
import { SetupError } from '../config/setup-error.ts'
import { readSecretFileAsync } from '../data/file-rights.ts'

/** Paths of the certificate (with its chain) and its private key, as PEM. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** A certificate and a key that fit together. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export type TlsEvent =
  | { readonly event: 'tls_reloaded' }
  | { readonly event: 'tls_reload_failed'; readonly error: string }

/**
 * [TLS.8] [TLS.13] Reads both files and checks that they can be used together and today.
 * @throws SetupError `tls_unusable`, `rights_unsafe`
 */
export async function readCertificate(files: TlsFiles, system: System): Promise<Certificate> {
  try {
    const read = await readBoth(files)
    check(read, system)
    return read
  } catch (error) {
    if (error instanceof SetupError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new SetupError(
      'tls_unusable',
      `The certificate ${files.certFile} and the key ${files.keyFile} cannot be used: ${why}`,
      'Give a PEM certificate with its chain, and its unencrypted PEM key, both readable by this user.',
      { cause: error },
    )
  }
}

/**
 * [TLS.4] Polls both files. A new pair is used once it stayed unchanged between two polls, since the two
 * files are never replaced at the same moment, and only if both fit together.
 *
 * Compares contents, since times and sizes miss some replacements; both are a few KiB.
 *
 * @param use receives a new pair
 * @returns ends the watch
 */
export function watchCertificate(
  files: TlsFiles,
  used: Certificate,
  everyMs: number,
  system: System,
  use: (certificate: Certificate) => void,
  tell: (event: TlsEvent) => void,
): () => void {
  let current = used
  let seen: string = textOf(used)
  let settled = true
  let cancel = system.after(everyMs, look)
  let ended = false

  function look(): void {
    void readBoth(files)
      .then(
        (read) => consider(textOf(read), () => renew(read)),
        (error: unknown) => consider(messageOf(error), () => Promise.reject(error)),
      )
      .catch((error: unknown) => tell({ event: 'tls_reload_failed', error: messageOf(error) }))
      .finally(() => {
        if (!ended) cancel = system.after(everyMs, look)
      })
  }

  async function consider(found: string, act: () => void | Promise<void>): Promise<void> {
    const stoodStill = found === seen
    if (stoodStill && settled) return
    settled = stoodStill
    seen = found
    if (stoodStill && !ended) await act()
  }

  function renew(read: Certificate): void {
    if (textOf(read) === textOf(current)) return
    check(read, system)
    use(read)
    current = read
    tell({ event: 'tls_reloaded' })
  }

  return () => {
    ended = true
    cancel()
  }
}

async function readBoth({ certFile, keyFile }: TlsFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readSecretFileAsync(keyFile)])
  return { cert, key }
}

/** @throws Error that says what is wrong */
function check({ cert, key }: Certificate, system: System): void {
  const { publicKey, validToDate } = new X509Certificate(cert)
  if (validToDate.getTime() <= system.nowMs()) throw new Error('the certificate has expired')
  // OpenSSL compares the two as well, but leaves a key of another kind than the certificate's alone.
  if (!createPublicKey(createPrivateKey(key)).equals(publicKey))
    throw new Error('the key does not match the certificate')
  createSecureContext({ cert, key })
}

function textOf({ cert, key }: Certificate): string {
  return `${cert}\n${key}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
