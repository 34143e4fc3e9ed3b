// Package reset deletes what an app has in the cluster and in a data directory: all state of the version in force, so that the app begins anew, or everything of
// older versions. What is deleted is computed from the declaration and from what is known to be the app's; nothing is found by a pattern of names.
package reset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/worker"
)

// Plan is what is to be deleted. The slots that it is about are held until Close.
type Plan struct {
	Topics  []Topic  `json:"topics"`
	Groups  []string `json:"groups"`
	Folders []string `json:"folders"`
	Left    []Left   `json:"left"`

	client *broker.Client
	held   []*worker.Slots
	vacant []string // groups that may have no members when it begins, the missing ones among them: they may be there by then
}

// Topic is a topic that is to be deleted.
type Topic struct {
	Name    string `json:"name"`
	Records int64  `json:"records"` // about
}

// Left is what was left alone although its name would fit.
type Left struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Config says of which app, and where. Client nil: only what is in the data directory.
type Config struct {
	App    *app.App
	Client *broker.Client
}

// RunningError: the group has members.
type RunningError struct {
	Group  string
	Member broker.Member // one of them
	Slot   string        // of this data directory that it is in; "": none
}

func (e *RunningError) Error() string {
	who := "a worker on " + e.Member.Host
	if e.Slot != "" {
		who = "worker " + e.Slot
	}
	return fmt.Sprintf("%s of %s runs", who, e.Group)
}

// AmbiguousError: a topic of the app may be another one's as well, by its name.
type AmbiguousError struct{ Topic, Group string }

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("topic %s may be of %s, by its name: nothing is deleted", e.Topic, e.Group)
}

// New plans to delete the state of the app's version: changelogs, topics in between, offsets and what the data directory has of tables. Topics that the app's agents read
// and their dead letters stay. *RunningError, *worker.InUseError: a worker runs.
func New(ctx context.Context, cfg Config) (p *Plan, err error) {
	p = newPlan(cfg)
	defer p.closeOn(&err)
	g := &generation{app: cfg.App, settings: cfg.App.Settings, group: cfg.App.Settings.GroupID()}
	if g.slots, err = p.hold(cfg.App.Settings.Datadir, g.group); err != nil {
		return nil, err
	}
	p.Folders = append(p.Folders, g.slots.States()...)
	if cfg.Client == nil {
		return p, nil
	}
	if err = p.look(ctx, g); err != nil {
		return nil, err
	}
	names := append(g.state(), g.known()...)
	for _, name := range names {
		if other := g.claimed(name); other != "" && slices.Contains(g.topics, name) {
			return nil, &AmbiguousError{Topic: name, Group: other}
		}
	}
	if err = p.take(ctx, g, names); err != nil {
		return nil, err
	}
	p.vacate(g)
	return p, nil
}

func newPlan(cfg Config) *Plan {
	return &Plan{Topics: []Topic{}, Groups: []string{}, Folders: []string{}, Left: []Left{}, client: cfg.Client}
}

func (p *Plan) closeOn(err *error) {
	if *err != nil {
		p.Close()
	}
}

// Close gives the slots back. Idempotent.
func (p *Plan) Close() {
	for _, s := range p.held {
		s.Close()
	}
	p.held = nil
}

// Empty tells whether there is nothing to delete.
func (p *Plan) Empty() bool { return len(p.Topics)+len(p.Groups)+len(p.Folders) == 0 }

// hold holds the slots of a group.
func (p *Plan) hold(datadir, group string) (*worker.Slots, error) {
	s, err := worker.HoldSlots(datadir, group)
	if err == nil {
		p.held = append(p.held, s)
	}
	return s, err
}

// take plans to delete those topics that are there.
func (p *Plan) take(ctx context.Context, g *generation, names []string) error {
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !slices.Contains(g.topics, name) {
			continue
		}
		spans, err := p.client.Spans(ctx, name)
		if err != nil {
			return err
		}
		t := Topic{Name: name}
		for _, s := range spans {
			t.Records += s.End - s.First
		}
		p.Topics = append(p.Topics, t)
	}
	return nil
}

// vacate plans to delete the group of a version.
func (p *Plan) vacate(g *generation) {
	p.vacant = append(p.vacant, g.group)
	if g.exists {
		p.Groups = append(p.Groups, g.group)
	}
}

// Run deletes. Groups come first: that fails if a worker was started meanwhile, and then nothing is deleted. An error after that says what is still there: the same
// command goes on with it.
func (p *Plan) Run(ctx context.Context) error {
	if p.client != nil {
		if err := p.client.Forget(ctx, slices.Concat(p.vacant, p.Groups)...); err != nil {
			return err
		}
		var names []string
		for _, t := range p.Topics {
			names = append(names, t.Name)
		}
		if err := p.client.Erase(ctx, names...); err != nil {
			return incomplete(err)
		}
	}
	for _, dir := range p.Folders {
		if err := remove(dir); err != nil {
			return incomplete(err)
		}
	}
	return nil
}

func incomplete(err error) error {
	return fmt.Errorf("not all is deleted, do it again before a worker is started: %w", err)
}

// remove deletes a folder, and the one it is in if nothing else is there. It gets another name first: a worker that makes it anew meanwhile loses nothing.
func remove(dir string) error {
	gone := dir + ".deleted"
	err := os.RemoveAll(gone) // of one that was interrupted
	if err == nil {
		err = os.Rename(dir, gone)
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.RemoveAll(gone)
	}
	if err != nil {
		return fmt.Errorf("delete folder: %w", err)
	}
	if err := os.Remove(filepath.Dir(dir)); err != nil && !errors.Is(err, os.ErrExist) && !notEmpty(dir) {
		return fmt.Errorf("delete folder: %w", err)
	}
	return nil
}

// notEmpty tells whether there is something beside dir.
func notEmpty(dir string) bool {
	entries, err := os.ReadDir(filepath.Dir(dir))
	return err != nil || len(entries) > 0
}

// generation is one version of the app: what it has and what there is of it.
type generation struct {
	app      *app.App
	settings *app.Settings // with this version
	group    string
	slots    *worker.Slots

	topics  []string // of the cluster
	groups  []string // whose topics may have names that begin like this one's
	exists  bool     // the group
	offsets []string // topics of which the group has offsets
}

// look learns what there is of a version, and refuses if it runs.
func (p *Plan) look(ctx context.Context, g *generation) (err error) {
	if g.topics, err = p.client.Topics(ctx); err != nil {
		return err
	}
	all, err := p.client.Groups(ctx)
	if err != nil {
		return err
	}
	for _, name := range all {
		if strings.HasPrefix(name, g.group+"-") && name != g.marks() {
			g.groups = append(g.groups, name)
		}
	}
	for _, member := range g.slots.Left() { // nobody has the slots: these are dead
		if err := p.client.Leave(ctx, g.group, member); err != nil {
			return err
		}
	}
	if !slices.Contains(all, g.group) {
		return nil
	}
	info, err := p.client.Group(ctx, g.group)
	if err != nil {
		return err
	}
	if len(info.Members) > 0 {
		return &RunningError{Group: g.group, Member: info.Members[0]}
	}
	g.exists = true
	for _, part := range info.Partitions {
		if part.Committed >= 0 && !slices.Contains(g.offsets, part.Topic) {
			g.offsets = append(g.offsets, part.Topic)
		}
	}
	return nil
}

// marks is the group that remembers which dead letters are dealt with.
func (g *generation) marks() string { return g.group + "-dead-letters" }

// own names an internal topic of the app as this version has it.
func (g *generation) own(name string) string {
	return g.group + strings.TrimPrefix(name, g.app.Settings.GroupID())
}

// state are the topics that are made of others: changelogs, and those that messages are sent on through.
func (g *generation) state() (names []string) {
	for _, t := range g.app.Internal {
		if t.Compact || t.Passing {
			names = append(names, g.own(t.Name))
		}
	}
	return names
}

// known are topics of this version that the declaration may not have any more: changelogs of tables that the data directory has, and topics in between that the group has read.
func (g *generation) known() (names []string) {
	for _, t := range g.slots.Tables() {
		names = append(names, g.settings.Internal(t, "changelog"))
	}
	for _, t := range g.offsets {
		if _, ok := g.settings.Owner(t, "repartition"); ok && g.claimed(t) == "" {
			names = append(names, t)
		}
	}
	return names
}

// claimed names the group that a topic may belong to, by its name, if not to this one.
func (g *generation) claimed(topic string) string {
	for _, other := range g.groups {
		if strings.HasPrefix(topic, other+"-") {
			return other
		}
	}
	return ""
}
