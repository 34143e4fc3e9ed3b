package reset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Versions plans to delete all that older versions of the app have: their internal topics, dead letters included, groups and slots of the data directory. *RunningError,
// *worker.InUseError: one of them runs.
func Versions(ctx context.Context, cfg Config) (p *Plan, err error) {
	p = newPlan(cfg)
	defer p.closeOn(&err)
	topics, err := cfg.Client.Topics(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := cfg.Client.Groups(ctx)
	if err != nil {
		return nil, err
	}
	entries, _ := os.ReadDir(cfg.App.Settings.Datadir) // none: nothing is there
	names := slices.Concat(topics, groups)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, version := range older(cfg.App.Settings.ID, cfg.App.Settings.Version, names) {
		if err = p.version(ctx, cfg, version); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// older are the versions below one of which names tell, with the first.
func older(id string, below int, names []string) []int {
	list := []int{}
	if below > 1 {
		list = append(list, 1)
	}
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, id+"-v")
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, "-")
		if n, err := strconv.Atoi(digits); err == nil && n > 1 && n < below && strconv.Itoa(n) == digits {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// version plans to delete a version.
func (p *Plan) version(ctx context.Context, cfg Config, version int) (err error) {
	settings := *cfg.App.Settings
	settings.Version = version
	g := &generation{app: cfg.App, settings: &settings, group: settings.GroupID()}
	if g.slots, err = p.hold(settings.Datadir, g.group); err != nil {
		return err
	}
	if err := p.look(ctx, g); err != nil {
		return err
	}
	if foreign := g.foreign(); foreign != "" {
		p.Left = append(p.Left, Left{Name: g.group, Why: fmt.Sprintf("the group has read topic %s, which the script does not declare: it may be of another app", foreign)})
		return nil
	}
	var names []string
	for _, name := range append(g.all(), g.known()...) {
		if !slices.Contains(g.topics, name) {
			continue
		}
		if other := g.claimed(name); other != "" {
			p.Left = append(p.Left, Left{Name: name, Why: "it may be of " + other + ", by its name"})
			continue
		}
		names = append(names, name)
	}
	if err := p.take(ctx, g, names); err != nil {
		return err
	}
	return p.rest(ctx, g)
}

// rest plans to delete groups and folders of a version.
func (p *Plan) rest(ctx context.Context, g *generation) error {
	p.vacate(g)
	marks, err := p.client.Group(ctx, g.marks())
	if err != nil {
		return err
	}
	if marks.State != "Dead" {
		p.Groups = append(p.Groups, g.marks())
	}
	for _, dir := range g.slots.Folders() {
		p.Folders = append(p.Folders, filepath.Clean(dir))
	}
	return nil
}

// all are the internal topics that the declaration gives this version.
func (g *generation) all() []string {
	names := []string{g.settings.Internal("leader")}
	for _, t := range g.app.Internal {
		names = append(names, g.own(t.Name))
	}
	return names
}

// foreign is a topic that the group has offsets of although neither the script nor the naming of this version has it; "": there is none.
func (g *generation) foreign() string {
	var declared []string
	for _, t := range g.app.Topics {
		declared = append(declared, t.Name)
	}
	for _, name := range g.offsets {
		if !slices.Contains(declared, name) && (!strings.HasPrefix(name, g.group+"-") || g.claimed(name) != "") {
			return name
		}
	}
	return ""
}
