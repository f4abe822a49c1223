import { afterAll, afterEach } from 'vitest'
import { undoAll } from './at-end.ts'
import { explainFailure, forgetHelpers } from './last-seen.ts'
import './patience.ts'

// Vitest runs this setup file for each test file, but loads shared modules once per worker.
afterEach(explainFailure)
afterAll(async () => {
  forgetHelpers()
  await undoAll()
})
