package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

func (s *session) versionCommand() builtin {
	return builtin{group: other, use: "version", short: "The version of this program.",
		run: func(context.Context, []string) error { return s.printVersion() }}
}

func (s *session) printVersion() error {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if s.globals.json {
		return s.printJSON(map[string]string{
			"version": Version, "commit": commit(), "platform": platform, "go": runtime.Version(),
		})
	}
	text := "faust " + Version
	if c := commit(); c != "" {
		text += " (" + c + ")"
	}
	_, err := fmt.Fprintf(s.Stdout, "%s %s %s\n", text, platform, runtime.Version())
	return err
}

// commit is what the program was built from; "" if the build does not say.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(len(setting.Value), 12)]
		}
	}
	return ""
}
