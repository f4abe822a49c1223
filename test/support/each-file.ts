import { afterAll } from 'vitest'
import { undoAll } from './at-end.ts'
import './patience.ts'

// Vitest runs this setup file for each test file, but loads shared modules once per worker.
afterAll(undoAll)
