/** A WebSocket server that checks nothing: the least that a connection can cost. */
import { WebSocketServer } from 'ws'
import { answer } from './answer.ts'
import { listenerOf, listening } from './listener.ts'
import { type ServerAnswers, serverAnswers } from './usage.ts'

export interface BareAnswers extends ServerAnswers {
  port(argument: undefined): number
}

const server = listenerOf()
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false })
server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => {})
  sockets.handleUpgrade(request, socket, head, (webSocket) => {
    webSocket.on('error', () => {})
    webSocket.on('message', () => {})
  })
})
const port = await listening(server)
const answers: BareAnswers = { ...serverAnswers, port: () => port }
answer(answers)
