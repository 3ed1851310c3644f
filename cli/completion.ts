/** Shell completion, made from the commands themselves. */
import type { Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function isShell(text: string): text is Shell {
  return SHELLS.some((shell) => shell === text);
}

export function completionScript(program: Command, shell: Shell): string {
  const words = new Map(
    program.commands.map((command) => [
      command.name(),
      [...subcommands(command), ...flags(command)],
    ]),
  );
  switch (shell) {
    case 'fish':
      return [
        `complete -c millrace -f -n __fish_use_subcommand -a '${[...words.keys()].join(' ')}'`,
        ...[...words].map(
          ([name, rest]) =>
            `complete -c millrace -f -n '__fish_seen_subcommand_from ${name}' -a '${rest.join(' ')}'`,
        ),
        '',
      ].join('\n');
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
    case 'bash':
      return bash(words);
  }
}

function bash(words: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...words].map(
    ([name, rest]) => `    ${name}) COMPREPLY=($(compgen -W "${rest.join(' ')}" -- "$word")) ;;`,
  );
  return `_millrace() {
  local word="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...words.keys(), '--help', '--version'].join(' ')}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -F _millrace millrace
`;
}

function subcommands(command: Command): string[] {
  return command.commands.map((child) => child.name());
}

function flags(command: Command): string[] {
  return [...command.options.map((option) => option.long ?? option.short ?? ''), '--help'];
}
