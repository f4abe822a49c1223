import type { Server } from 'node:http'
import type { SecurityLog, System } from '@bridgekeeper/bridge'
import { Sampler, TrustedProxies } from '@bridgekeeper/bridge/parts'
import type { ServeSettings } from '../config/serve-settings.ts'
import type { Certificate, TlsEvent } from './certificate.ts'
import { createListener, type ListenerOptions } from './listener.ts'

export interface ListenerParts {
  readonly onTls: (event: TlsEvent) => void
  /** Returns `undefined` until the log is open. */
  readonly log: () => SecurityLog | undefined
  readonly system: System
}

/** Creates the listener of a node, with TLS if it has a certificate, and with its limits of sockets. */
export function nodeListener(
  { reach, sockets, tlsFiles }: Pick<ServeSettings, 'reach' | 'sockets' | 'tlsFiles'>,
  certificate: Certificate | undefined,
  { onTls, log, system }: ListenerParts,
): Server {
  const proxies = new TrustedProxies(reach.trustedProxies)
  const options = { sockets, proxies, onDrop: dropRecorder(log, system), system }
  if (tlsFiles === undefined || certificate === undefined) return createListener(options)
  return createListener({ ...options, tls: { files: tlsFiles, certificate, onEvent: onTls } })
}

/** Logs sockets that a limit closed, sampled per address. */
function dropRecorder(log: ListenerParts['log'], system: System): ListenerOptions['onDrop'] {
  const sampler = new Sampler()
  return ({ ip, key }, reason) => {
    const sampled = sampler.take(`${reason} ${key}`, system.monotonicMs())
    if (sampled === undefined) return
    log()?.logSecurityEvent({ event: 'connection_dropped', ip, reason, ...sampled })
  }
}
