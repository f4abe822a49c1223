import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isObject, parseJson, readText } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import { ProxyError, tunnelAgent } from '../proxy/tunnel.ts'
import type { System } from '../system.ts'

/** A bridge's answer to a request. */
export interface Answer {
  readonly status: number
  /** The body as a JSON object; empty if it is not one. */
  readonly body: Readonly<Record<string, unknown>>
  /** The bridge's clock at its answer. */
  readonly dateMs: number | undefined
}

/** No answer, no answer in time, or an answer that no bridge gives. A retry may help. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
  readonly code = 'bridge_unreachable'
  readonly next = 'Check that the bridge runs, the URL and the network, then try again.'
}

export interface Question {
  /** Sent as JSON. */
  readonly json?: object
  /** Sent as a form (RFC 6749 appendix B). */
  readonly form?: Readonly<Record<string, string>>
  readonly token?: string
}

const ANSWER_MS = 15_000
const MAX_BYTES = 65_536

/**
 * Asks a bridge over HTTP, by GET or, with something to send, by POST; through the proxy of the environment if there is
 * one. It follows no redirect: the target would get everything that was sent.
 *
 * @throws Unreachable, also when the signal aborts
 * @throws AgentError `answer_unusable` for a redirect, `proxy_invalid`
 */
export async function ask(
  system: System,
  url: string,
  { json, form, token }: Question,
  signal: AbortSignal,
): Promise<Answer> {
  const limit = new AbortController()
  const cancel = system.schedule(ANSWER_MS, () => limit.abort())
  const body = json === undefined ? form && new URLSearchParams(form).toString() : JSON.stringify(json)
  const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json'
  const headers = {
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  try {
    const response = await send(url, headers, body, AbortSignal.any([signal, limit.signal]))
    const status = response.statusCode ?? 0
    if (status >= 300 && status <= 399) {
      response.destroy()
      throw new AgentError('answer_unusable', 'It answered with a redirect, which is not followed.')
    }
    const value = parseJson(await limitedText(response))?.value
    const dateMs = Date.parse(response.headers.date ?? '')
    return { status, body: isObject(value) ? value : {}, dateMs: Number.isNaN(dateMs) ? undefined : dateMs }
  } catch (cause) {
    if (cause instanceof AgentError || cause instanceof Unreachable) throw cause
    if (cause instanceof ProxyError) throw new Unreachable(cause.message, { cause })
    throw new Unreachable(
      `The bridge at ${new URL(url).origin} cannot be reached (${reasonOf(cause)}).${hintOf(cause)}`,
      {
        cause,
      },
    )
  } finally {
    cancel()
  }
}

/** Resolves with the head of the answer. */
async function send(
  url: string,
  headers: OutgoingHttpHeaders,
  body: string | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  signal.throwIfAborted()
  const request = url.startsWith('https:') ? httpsRequest : httpRequest
  const method = body === undefined ? 'GET' : 'POST'
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = request(url, { method, headers, signal, agent: tunnelAgent(url) ?? false })
  sent.once('response', resolve)
  sent.on('error', reject)
  sent.end(body)
  return promise
}

async function limitedText(response: IncomingMessage): Promise<string> {
  const text = await readText(response, MAX_BYTES)
  if (text === undefined) throw new Unreachable('The answer of the bridge is too large.')
  return text
}

/** Explains a failed TLS handshake, as a server without TLS causes it. */
function hintOf(error: unknown): string {
  const code = reasonOf(error)
  const isNoTls = code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER'
  return isNoTls ? ' It may not use TLS: its address then begins with http://.' : ''
}

/** Returns the code of an error, which contains no address. */
function reasonOf(error: unknown): string {
  if (isObject(error) && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown'
}
