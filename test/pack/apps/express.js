import { createServer } from 'node:http'
import { createBridge } from '@bridgekeeper/bridge'
import express from 'express'

const bridge = createBridge({
  authenticate: (token) =>
    token === process.env.AGENT_TOKEN ? { userId: 'ann', sessionId: 'ann-1' } : undefined,
})
const app = express()
app.get('/shout', async (_request, response) => {
  response.json(await bridge.callTool('ann', 'everything', 'echo', { message: 'hello' }))
})
const server = createServer(app)
bridge.attach(server)
await bridge.ready()
server.listen(0, '127.0.0.1', () => process.stdout.write(`port=${server.address().port}\n`))
