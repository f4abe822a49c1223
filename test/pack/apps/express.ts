import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AppIdentity,
  BridgeError,
  type BridgeOptions,
  createBridge,
  type ErrorCode,
} from '@bridgekeeper/bridge'
import express, { type Request, type Response } from 'express'

const options: BridgeOptions = {
  authenticate: (token): AppIdentity | undefined =>
    token === process.env.AGENT_TOKEN ? { userId: 'ann', sessionId: 'ann-1' } : undefined,
}
const bridge = createBridge(options)
const app = express()
app.get('/shout', async (_request: Request, response: Response) => {
  try {
    response.json(await bridge.callTool('ann', 'everything', 'echo', { message: 'hello' }))
  } catch (error) {
    const code: ErrorCode | undefined = error instanceof BridgeError ? error.code : undefined
    response.status(502).json({ code })
  }
})
const server = createServer(app)
bridge.attach(server)
await bridge.ready()
server.listen(0, '127.0.0.1', () => process.stdout.write(`port=${(server.address() as AddressInfo).port}\n`))
