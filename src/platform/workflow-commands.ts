import { Transform } from 'node:stream'

// Text is taken byte by byte (latin1), so that no split can hurt a character; this is U+200B in UTF-8.
const ZERO_WIDTH_SPACE = '\xe2\x80\x8b'
// The runner skips white space, some of which has several bytes: every byte of such counts as blank.
const BLANK = String.raw`[\s\x80-\xff]*`
const STARTS_COMMAND = new RegExp(`(^|[\\r\\n])(${BLANK}):(?=:)`, 'g')
const BLANK_LINE = new RegExp(`^${BLANK}(:?)$`)

/**
 * Passes text on so that the runner sees no command in it: `::name::` counts at the start of a line,
 * `##[name]` anywhere. A zero-width space is put inside.
 * https://github.com/actions/runner/blob/v2.336.0/src/Runner.Common/ActionCommand.cs
 */
export function commandsDefused(): Transform {
  // What has been passed on already and could be the first half of a command.
  let begun = ''
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = begun + chunk.toString('latin1')
      const defused = text.replaceAll(STARTS_COMMAND, `$1$2:${ZERO_WIDTH_SPACE}`).replaceAll('##[', `##${ZERO_WIDTH_SPACE}[`)
      const passed = begun.length
      begun = beginning(text)
      done(null, Buffer.from(defused.slice(passed), 'latin1'))
    },
  })
}

function beginning(text: string): string {
  const line = text.slice(Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1)
  const blank = BLANK_LINE.exec(line)
  return blank === null ? `.${/#{0,2}$/.exec(line)?.[0] ?? ''}` : (blank[1] ?? '')
}
