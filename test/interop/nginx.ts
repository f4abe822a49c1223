import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Client,
  type ClientOptions,
  type RequestOptions,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { missingDebianCommand } from '../../scripts/debian.ts'
import { type Bridged, startBridged } from '../conformance/bridged.ts'
import { bearer } from '../support/mcp.ts'

const FIXTURE = join(import.meta.dirname, '../conformance/fixtures/stdio.ts')
const WAIT_S = 120
const CALL_TIMEOUT_MS = 150_000
const ERAS: Readonly<Record<string, ClientOptions>> = {
  2025: {},
  2026: { versionNegotiation: { mode: { pin: '2026-07-28' } } },
}

/**
 * Calls a tool of 120 s behind Debian's nginx, which gives up on an answer that sends nothing for 60 s: with a client
 * of each era, with progress and without. Takes two minutes, and installs nginx where it may.
 */
export async function checkNginx(): Promise<void> {
  const missing = missingDebianCommand('nginx', 'nginx-light')
  if (missing !== undefined) {
    console.error(missing)
    process.exitCode = 1
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'interop-nginx-'))
  const stop = new AbortController()
  const start = (name: string, callTimeoutMs?: number) =>
    startBridged(
      { slow: { command: process.execPath, args: [FIXTURE, 'v2'] } },
      {
        publicUrlOf: (port) => startNginx(join(folder, name), port, stop.signal),
        ...(callTimeoutMs !== undefined && { callTimeoutMs }),
      },
    )
  try {
    const patient = await start('patient', CALL_TIMEOUT_MS)
    const usual = await start('usual')
    const passed = await Promise.all(
      Object.entries(ERAS).flatMap(([era, options]) => [
        shown(`${era}, silent`, call(patient, options, { timeout: CALL_TIMEOUT_MS })),
        shown(
          `${era}, with progress`,
          call(usual, options, { onprogress() {}, resetTimeoutOnProgress: true }),
        ),
      ]),
    )
    if (passed.includes(false)) process.exitCode = 1
    await patient.close()
    await usual.close()
  } finally {
    stop.abort()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function shown(name: string, calling: Promise<string>): Promise<boolean> {
  const text = await calling.catch(String)
  const isRight = text.includes(`Waited for ${WAIT_S} s.`)
  console.log(`${isRight ? '✓' : '✗'} ${name}: ${text}`)
  return isRight
}

/** Starts nginx in front of a port, with its own time limits. @returns its address */
async function startNginx(folder: string, port: number, signal: AbortSignal): Promise<string> {
  mkdirSync(folder)
  const listen = await freePort()
  const config = join(folder, 'nginx.conf')
  writeFileSync(config, configOf(folder, listen, port))
  const nginx = spawn('nginx', ['-p', folder, '-c', config, '-e', join(folder, 'error.log')], {
    stdio: ['ignore', 'inherit', 'inherit'],
    signal,
  })
  nginx.on('error', (error) => {
    if (!signal.aborted) console.error(error)
  })
  while (!(await accepts(listen))) {
    if (nginx.exitCode !== null) throw new Error(`nginx ended with ${nginx.exitCode}.`)
  }
  return `http://127.0.0.1:${listen}`
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function configOf(folder: string, listen: number, port: number): string {
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${listen};
    location / {
      proxy_pass http://127.0.0.1:${port};
      proxy_set_header Host $http_host;
    }
  }
}
`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function call({ url, token }: Bridged, era: ClientOptions, options: RequestOptions): Promise<string> {
  const client = new Client({ name: 'interop', version: '1.0.0' }, era)
  const requestInit = { headers: bearer(token) }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp/slow`), { requestInit }))
  try {
    const args = { seconds: String(WAIT_S) }
    return JSON.stringify((await client.callTool({ name: 'test_wait', arguments: args }, options)).content)
  } finally {
    await client.close()
  }
}
