/** Answers the questions of the parent process, and exits with it. */
export function answer(answers: object): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', async ({ question, argument }: { question: string; argument: unknown }) => {
    try {
      const answerOne = (answers as Record<string, (argument: unknown) => unknown>)[question]
      if (answerOne === undefined) throw new Error(`nobody answers ${question}`)
      process.send?.({ value: await answerOne(argument) })
    } catch (error) {
      process.send?.({ error: String(error) })
    }
  })
  process.send?.({ value: 'ready' })
}
