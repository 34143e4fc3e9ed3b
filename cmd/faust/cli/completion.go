package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"faust/runtime/app"
)

// completionLimit is how long an app may take to load while a shell waits for what could be typed.
const completionLimit = 150 * time.Millisecond

// shells are those that completion is for.
func shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

func (s *session) completionCommand() builtin {
	return builtin{
		group: other, use: "completion SHELL", short: "What a shell needs to complete commands, flags and names: bash, zsh, fish, powershell.", plain: true,
		long: `It completes files, the commands of faust and of the app, their flags and choices, and the names of topics, agents, tables and record types. For good:

  bash        echo 'source <(faust completion bash)' >> ~/.bashrc
  zsh         echo 'source <(faust completion zsh)' >> ~/.zshrc
  fish        faust completion fish > ~/.config/fish/completions/faust.fish
  powershell  faust completion powershell >> $PROFILE`,
		min: 1, max: 1,
		complete: func(*session, []string) []string { return shells() },
		run:      func(_ context.Context, args []string) error { return s.printCompletion(args[0]) },
	}
}

// printCompletion writes the script for a shell. The scripts ask `faust __complete`.
func (s *session) printCompletion(shell string) error {
	root := &cobra.Command{Use: "faust"}
	switch shell {
	case "bash":
		var b strings.Builder
		if err := root.GenBashCompletionV2(&b, true); err != nil {
			return err
		}
		_, err := io.WriteString(s.Stdout, strings.ReplaceAll(b.String(), "_filedir", "__faust_filedir")+bashAlone)
		return err
	case "zsh":
		if err := root.GenZshCompletion(s.Stdout); err != nil {
			return err
		}
		_, err := io.WriteString(s.Stdout, "compdef _faust faust\n")
		return err
	case "fish":
		return root.GenFishCompletion(s.Stdout, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(s.Stdout)
	}
	return cannotBe("SHELL", shell, &app.ChoiceError{Text: shell, Choices: shells()})
}

// bashAlone stands in for the functions of the package bash-completion, where that is not installed.
const bashAlone = `
__faust_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    # COMP_WORDS is cut at = and : as well
    local line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<< "$line"
    if [[ $line == *[[:space:]] ]]; then
        words+=("")
    fi
    cword=$((${#words[@]} - 1)) prev=""
    cur=${words[cword]}
    if ((cword > 0)); then
        prev=${words[cword - 1]}
    fi
}

# folders, and files with one of the endings that are given as a|b|
__faust_filedir()
{
    if declare -F _filedir >/dev/null 2>&1; then
        _filedir "$@"
        return
    fi
    compopt -o filenames 2>/dev/null
    local name
    while IFS= read -r name; do
        if [[ -d $name || $# -eq 0 || "|$1" == *"|${name##*.}|"* ]]; then
            COMPREPLY+=("$name")
        fi
    done < <(compgen -f -- "$cur")
}
`

// completes tells whether a shell asks what could be typed, which is no command that a person gives.
func completes(args []string) bool {
	return len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// complete answers a shell: candidates for the last word of args, which may be empty. What goes wrong on the way only makes the answer
// poorer, and nothing but the answer is printed.
func (s *session) complete(ctx context.Context, request string, words []string) error {
	s.Stderr = io.Discard
	last := words[len(words)-1]
	call, err := s.globals.scan(words[:len(words)-1])
	given := s.globals.clone()
	rest := append(append([]string{}, call.args...), last)
	if call.command != "" {
		rest = append([]string{call.command}, rest...)
	}
	if err != nil { // a flag before the command waits for its value
		rest = words
	}
	s.globals.guess(call.args)
	if s.enter(given) == nil && call.file != "" {
		s.loadInTime(call)
	}
	root := s.tree()
	root.SetOut(s.Stdout)
	root.SetErr(io.Discard)
	switch {
	case call.run && call.file == "":
		root.SetArgs([]string{request, "run", last})
	default:
		root.SetArgs(append([]string{request}, rest...))
	}
	s.offerFlags(root)
	if call.file == "" {
		for _, c := range root.Commands() {
			if c.Annotations["app"] != "" {
				root.RemoveCommand(c)
			}
		}
		root.AddCommand(&cobra.Command{Use: "run FILE", Short: "What the app in FILE offers.", ValidArgsFunction: completeFiles, Run: func(*cobra.Command, []string) {}})
	}
	return root.ExecuteContext(ctx)
}

// completeFiles offers scripts, and folders on the way to them.
func completeFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"lua"}, cobra.ShellCompDirectiveFilterFileExt
}

// loadInTime loads the app if that takes no longer than a person at a prompt waits. One that does not end goes on in vain: the process ends soon.
func (s *session) loadInTime(call invocation) {
	file, err := locate(call.file, !call.run)
	if err != nil {
		return
	}
	quiet := &session{Process: s.Process, globals: s.globals.clone(), env: s.env, program: s.program}
	quiet.Stdout = io.Discard
	loaded := make(chan *application, 1)
	go func() {
		if quiet.load(file, call) != nil {
			quiet.app = nil
		}
		loaded <- quiet.app
	}()
	select {
	case s.app = <-loaded:
	case <-time.After(completionLimit):
	}
}

// offer makes the completion of a command's arguments and flags.
func (s *session) offer(c *cobra.Command, arguments func(s *session, args []string) []string) {
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var fitting []string
		if arguments != nil {
			for _, candidate := range arguments(s, args) {
				if strings.HasPrefix(candidate, typed) {
					fitting = append(fitting, candidate)
				}
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	}
	s.offerFlags(c)
}

// offerFlags makes the completion of the values of a command's flags.
func (s *session) offerFlags(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if choices := s.flagChoices(c, f); choices != nil {
			// refused only for a flag that does not exist or has its function already
			_ = c.RegisterFlagCompletionFunc(f.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return choices, cobra.ShellCompDirectiveNoFileComp
			})
		}
		if f.Name == "app" {
			_ = c.RegisterFlagCompletionFunc(f.Name, completeFiles)
		}
	})
}

// flagChoices are the values that a flag takes; nil: any.
func (s *session) flagChoices(c *cobra.Command, f *pflag.Flag) []string {
	if d := s.declared(c); d != nil {
		for _, o := range d.Options {
			if o.Name == f.Name && o.Choices != nil {
				return o.Choices
			}
		}
	}
	for _, d := range app.Schema() {
		if d.Flag == f.Name {
			return d.Choices
		}
	}
	if f.Name == "traceback" {
		return []string{"short", "full", "none"}
	}
	return nil
}

// named gives candidates with a description each.
func named(name, help string) string {
	if help = firstLine(help); help != "" {
		return fmt.Sprintf("%s\t%s", name, strings.ReplaceAll(help, "\t", " "))
	}
	return name
}

// modelNames are the record types of the app.
func modelNames(s *session, args []string) []string {
	if len(args) > 0 || s.app == nil {
		return nil
	}
	var names []string
	for _, r := range s.app.script.App.Records {
		names = append(names, named(r.Name, r.Help))
	}
	return names
}

// targetNames are the topics of the app and, with @ before their names, its agents: what can be sent to and looked at.
func targetNames(s *session, args []string) []string {
	if len(args) > 0 || s.app == nil {
		return nil
	}
	var names []string
	for _, t := range s.app.script.App.Topics {
		names = append(names, named(t.Name, t.Help))
	}
	return append(names, agentNames(s, args)...)
}

// agentNames are the agents of the app with @ before their names.
func agentNames(s *session, args []string) []string {
	if len(args) > 0 || s.app == nil {
		return nil
	}
	var names []string
	for _, a := range s.app.script.App.Agents {
		names = append(names, named("@"+a.Name, a.Help))
	}
	return names
}

// argumentChoices are the choices of the argument of an app's command that comes next.
func argumentChoices(d *app.Command) func(s *session, args []string) []string {
	return func(_ *session, args []string) []string {
		if n := len(d.Arguments); n > 0 {
			return d.Arguments[min(len(args), n-1)].Choices
		}
		return nil
	}
}
