package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (s *session) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "The version of this program.", Args: cobra.ArbitraryArgs,
		RunE: s.builtin(func(context.Context) error { return s.printVersion() })}
}

func (s *session) printVersion() error {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if s.globals.json {
		return json.NewEncoder(s.Stdout).Encode(map[string]string{
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
