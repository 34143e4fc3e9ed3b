package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"faust/runtime/reset"
	"faust/runtime/worker"
)

func (s *session) resetCommand() builtin {
	var dry, local bool
	return builtin{
		group: doing, use: "reset", short: "Deletes the app's state and offsets: it starts anew from the beginning of its topics.", app: true,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&dry, "dry-run", false, "only tell what would be deleted")
			set.BoolVar(&local, "local", false, "only what this data directory has of tables; a worker reads it from the changelogs again")
		},
		long: `Deleted are the changelogs of tables, the topics that group_by sends on through, the offsets of the app's group, and what the data directory has of tables. The topics that agents read, agents' own
topics and dead letters stay. The next worker begins where auto_offset_reset says, as a new app does. What dlq replay sent back is in its topic
twice, and is processed twice then; the app's next version processes it once.

No worker of the app may run. The data directories of other machines keep what they have of tables, which is refused there as it is of the old changelogs: reset --local deletes it.`,
		example: "reset --dry-run\nreset --yes",
		run: func(ctx context.Context, _ []string) error {
			if local {
				return s.erase(ctx, nil, "reset", dry, reset.New)
			}
			return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
				return s.erase(ctx, client, "reset", dry, reset.New)
			})
		},
	}
}

func (s *session) cleanCommand() builtin {
	var dry bool
	return builtin{
		group: doing, use: "clean-versions", short: "Deletes what older versions of the app left behind.", app: true,
		flags: func(set *pflag.FlagSet) { set.BoolVar(&dry, "dry-run", false, "only tell what would be deleted") },
		long: `Of every version below the one in force: its changelogs, topics in between, agents' own topics and dead letters, its groups, and its folders in the data directory. No worker of one of these
versions may run. Topics of tables and agents that the script does not have any more are found by what the group has read and the data directory has of tables; others stay, and so does what
may be of another app, which is said.`,
		example: "clean-versions --dry-run",
		run: func(ctx context.Context, _ []string) error {
			if n := s.app.script.App.Settings.Version; n < 2 {
				return s.tell(fmt.Sprintf("%s has version %d: there is no older one", s.app.script.App.Settings.ID, n), &reset.Plan{})
			}
			return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
				return s.erase(ctx, client, "clean-versions", dry, reset.Versions)
			})
		},
	}
}

// erase deletes what plan gives, once somebody has agreed. client nil: only what is in the data directory.
func (s *session) erase(ctx context.Context, client *worker.Client, name string, dry bool, plan func(context.Context, reset.Config) (*reset.Plan, error)) error {
	cfg := reset.Config{App: s.app.script.App}
	if client != nil {
		var err error
		if cfg.Client, err = client.Broker(ctx); err != nil {
			return err
		}
	}
	p, err := plan(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	if p.Empty() {
		for _, l := range p.Left {
			fmt.Fprintf(s.Stderr, "%s stays: %s\n", l.Name, l.Why)
		}
		return s.tell("nothing to delete", p)
	}
	if dry {
		if s.globals.json {
			return s.printJSON(p)
		}
		s.planned(s.Stdout, p)
		return nil
	}
	if !s.globals.yes {
		s.planned(s.Stderr, p)
	}
	if err := s.confirm(ctx, "Delete this for good?"); err != nil {
		return err
	}
	if err := p.Run(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.tell(fmt.Sprintf("deleted: %s, %s, %s", plural(len(p.Topics), "topic"), plural(len(p.Groups), "group"), plural(len(p.Folders), "folder")), p)
}

// tell prints the outcome.
func (s *session) tell(text string, p *reset.Plan) error {
	if s.globals.json {
		return s.printJSON(p)
	}
	if !s.globals.quiet {
		fmt.Fprintln(s.Stdout, text)
	}
	return nil
}

// planned lists what is to be deleted.
func (s *session) planned(w io.Writer, p *reset.Plan) {
	t := &table{}
	for _, x := range p.Topics {
		t.add("topic", x.Name, plural(int(x.Records), "record"))
	}
	for _, g := range p.Groups {
		t.add("group", g, "offsets")
	}
	for _, dir := range p.Folders {
		t.add("folder", dir, "")
	}
	for _, l := range p.Left {
		t.add("stays", l.Name, l.Why)
	}
	s.printTo(w, t)
}
