export interface SectionScript {
  /** The variables in the order of their export. */
  variables: Map<string, string>
  /** The contents of file variables by path. */
  files: Map<string, string>
  /** The path in $GITLAB_ENV; undefined on a runner without this variable. */
  gitlabEnv: string | undefined
  folder: string
  notice: string | undefined
  commands: string[]
  /** Whether CI_DEBUG_TRACE is on. */
  trace: boolean
}

/**
 * The script that the runner passes to bash for a section of a job. The script exports the variables and the lines that an earlier
 * section wrote to $GITLAB_ENV. It prints each command before the shell runs it. The outer shell and the inner shell, which runs
 * the commands, handle SIGTERM when the current command has ended.
 */
export function sectionScript({ variables, files, gitlabEnv, folder, notice, commands, trace }: SectionScript): string {
  const lines = [...variables].map(([name, value]) => exported(name, value))
  for (const [path, content] of files) lines.push(`printf '%s' ${quoted(content)} > ${quoted(path)}`)
  if (gitlabEnv !== undefined) {
    const file = quoted(gitlabEnv)
    lines.push(exported('GITLAB_ENV', gitlabEnv), `touch ${file}`, `while read -r line; do export "$line"; done < ${file}`)
  }
  lines.push(`cd ${quoted(folder)}`)
  if (notice !== undefined) lines.push(echo(notice))
  for (const command of commands.map((each) => each.trim())) {
    const [first = '', ...more] = command.split('\n')
    lines.push(echo(`$ ${first}${more.length > 0 ? ' # collapsed multi-line command' : ''}`), command)
  }
  return [
    `trap 'exit 1' TERM`,
    ...(trace ? ['set -o xtrace'] : []),
    'set -eo pipefail',
    'set +o noclobber',
    `(trap 'exit 1' TERM; eval ${quoted(lines.join('\n'))}) < /dev/null`,
    'exit 0',
    '',
  ].join('\n')
}

function exported(name: string, value: string): string {
  return `export ${quoted(name)}=${quoted(value)}`
}

// The log shows commands in bold green.
function echo(text: string): string {
  return `echo ${quoted(`\u001b[32;1m${text}\u001b[0;m`)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
