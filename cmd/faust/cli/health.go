package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"faust/runtime/app"
	"faust/runtime/control"
)

// healthPatience is how long a health check may take.
const healthPatience = 5 * time.Second

func (s *session) healthCommand() builtin {
	var live bool
	return builtin{
		group: looking, use: "healthcheck", short: "Whether the workers are ready: exit code 0 or 1, for container images.",
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&live, "live", false, "only whether they make progress at all")
		},
		long: `It asks every worker that runs with this data directory, with an app only that app's, for what /readyz answers. A worker that cannot have a socket there is asked through
its web port. Without an app nothing has to be loaded for it. --json lists the workers with what is wrong with each; the exit code stays.`,
		example: "healthcheck\nhealthcheck --live",
		run:     func(ctx context.Context, _ []string) error { return s.runHealth(ctx, live) },
	}
}

func (s *session) runHealth(ctx context.Context, live bool) error {
	settings, err := s.settings()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, healthPatience, fmt.Errorf("no answer within %s", healthPatience))
	defer cancel()
	group := ""
	if s.app != nil {
		group = settings.GroupID()
	}
	clients, err := control.Workers(ctx, settings.Datadir, group)
	if err != nil {
		return explained(err)
	}
	if len(clients) == 0 {
		c, err := webWorker(ctx, settings, group)
		if err != nil {
			if s.globals.json {
				err = errors.Join(s.printJSON([]health{}), err)
			}
			return err
		}
		clients = append(clients, c)
	}
	var all []health
	for _, c := range clients {
		defer c.Close()
		reasons, err := unhealthy(ctx, c, live)
		if err != nil {
			reasons = []string{err.Error()}
		}
		all = append(all, health{Worker: c.String(), OK: len(reasons) == 0, Reasons: reasons})
	}
	return s.showHealth(all, live)
}

// health is how a worker is, as --json shows it.
type health struct {
	Worker  string   `json:"worker"` // where it was asked
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons,omitempty"`
}

// showHealth prints that all workers are well, or gives the error that says which are not. With --json it lists all of them before that.
func (s *session) showHealth(all []health, live bool) error {
	var bad []string
	for _, h := range all {
		if !h.OK {
			bad = append(bad, fmt.Sprintf("worker at %s: %s", h.Worker, strings.Join(h.Reasons, "; ")))
		}
	}
	word := "ready"
	if live {
		word = "alive"
	}
	switch {
	case s.globals.json:
		if err := s.printJSON(all); err != nil {
			return err
		}
	case len(bad) == 0 && !s.globals.quiet:
		fmt.Fprintf(s.Stdout, "%s %s\n", plural(len(all), "worker"), word)
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "\n"))
	}
	return nil
}

// unhealthy tells what is wrong with a worker; nothing: nothing.
func unhealthy(ctx context.Context, c *control.Client, live bool) (reasons []string, err error) {
	check, err := c.Live(ctx)
	if err != nil {
		return nil, err
	}
	if !check.OK {
		reasons = append(reasons, check.Reason)
	}
	if live {
		return reasons, nil
	}
	h, err := c.Ready(ctx)
	if err != nil {
		return nil, err
	}
	for _, check := range h.Checks {
		if !check.OK {
			reasons = append(reasons, check.Name+": "+check.Reason)
		}
	}
	return reasons, nil
}

// webWorker finds a worker by its web port. One of another app or with another data directory is none.
func webWorker(ctx context.Context, set *app.Settings, group string) (*control.Client, error) {
	none := fmt.Errorf("no worker runs with %s", shown(set.Datadir))
	if !set.WebEnabled || set.WebPort == 0 {
		return nil, none
	}
	host := set.WebBind
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	c, err := control.DialHTTP(ctx, "http://"+net.JoinHostPort(host, strconv.Itoa(set.WebPort)), control.Access{Token: set.WebToken})
	if err != nil {
		return nil, none
	}
	datadir, err := filepath.Abs(set.Datadir)
	if s, failed := c.Status(ctx); err != nil || failed != nil || s.Datadir != datadir || group != "" && s.App != group {
		c.Close()
		return nil, none
	}
	return c, nil
}
