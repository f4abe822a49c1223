import { createBridge } from '@bridgekeeper/bridge'
import fastify from 'fastify'

const bridge = createBridge({
  authenticate: (token) =>
    token === process.env.AGENT_TOKEN ? { userId: 'ann', sessionId: 'ann-1' } : undefined,
})
const app = fastify()
app.get('/shout', () => bridge.callTool('ann', 'everything', 'echo', { message: 'hello' }))
bridge.attach(app.server)
await bridge.ready()
await app.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`port=${app.server.address().port}\n`)
