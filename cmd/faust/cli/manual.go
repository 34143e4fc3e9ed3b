package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"faust/docs"
	"faust/luabind/api"
	"faust/luabind/fault"
	"faust/runtime/app"
)

const (
	helpUse   = "help [NAME]"
	helpShort = "A command, a page of the manual, or a name that scripts use."
)

func (s *session) helpCommand(root *cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: helpUse, Short: helpShort, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			for i := range args {
				args[i] = unguard(args[i])
			}
			return s.helpAbout(root, args)
		}}
	s.offer(c, func(s *session, args []string) []string {
		if len(args) > 0 {
			return nil
		}
		return s.helpNames(root)
	})
	return c
}

// helpAbout prints what is known of a name: a command of the app, or else a built-in one, names of the API and a page.
func (s *session) helpAbout(root *cobra.Command, args []string) error {
	s.usage = s.program + " " + helpUse
	switch {
	case len(args) == 0 && s.app != nil:
		return s.help(nil)
	case len(args) == 0 || args[0] == "help":
		return s.overview()
	case args[0] == "run":
		return s.help(nil)
	}
	c, known := s.child(root, args[0])
	if known && s.declared(c) != nil {
		return s.help(c)
	}
	if !known && args[0] == "search" && len(args) > 1 {
		return s.search(strings.Join(args[1:], " "))
	}
	var parts []func() error
	if known {
		parts = append(parts, func() error { return s.help(c) })
	}
	return s.showAll(root, strings.Join(args, "."), parts)
}

// showAll prints everything that has a name: the parts that are known already, the names of the API and the page of the manual.
func (s *session) showAll(root *cobra.Command, name string, parts []func() error) error {
	page, isPage := docs.Find(name)
	found := api.Find(name)
	if len(found) > 0 && (len(parts) == 0 && !isPage || strings.EqualFold(found[0].Name, name)) {
		parts = append(parts, func() error { return s.showEntries(name, found) })
	}
	if isPage {
		parts = append(parts, func() error { return s.showPage(page.Text) })
	}
	if len(parts) == 0 {
		return s.unknownName(root, name)
	}
	for i, show := range parts {
		if i > 0 {
			fmt.Fprintln(s.Stdout)
		}
		if err := show(); err != nil {
			return err
		}
	}
	return nil
}

// showPage prints Markdown.
func (s *session) showPage(text string) error {
	_, err := io.WriteString(s.Stdout, docs.Render(text, docs.Style{Width: width(s.Stdout), Color: s.colored(s.Stdout)}))
	return err
}

// mostWhole is how many entries of one name are shown whole; more are listed.
const mostWhole = 2

// showEntries prints entries of the API.
func (s *session) showEntries(name string, found []*api.Entry) error {
	if len(found) > mostWhole {
		return s.list("Several names end with '"+name+"'", found)
	}
	for i, e := range found {
		if i > 0 {
			fmt.Fprintln(s.Stdout)
		}
		if err := s.showPage(e.Markdown()); err != nil {
			return err
		}
	}
	return nil
}

// list prints entries, a line each.
func (s *session) list(title string, entries []*api.Entry) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n| | |\n|---|---|\n", title)
	for _, e := range entries {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, strings.ReplaceAll(e.Text, "|", `\|`))
	}
	return s.showPage(b.String() + "\nMore about one of them:  `" + s.program + " help NAME`\n")
}

// search prints the pages and entries that speak of something.
func (s *session) search(text string) error {
	var pages []*api.Entry
	for _, p := range docs.Pages() {
		if containsWords(p.Text, text) {
			pages = append(pages, &api.Entry{Name: p.Name, Text: "Page of the manual: " + p.Title + "."})
		}
	}
	found := append(pages, api.Search(text)...)
	if len(found) == 0 {
		return usagef("nothing speaks of '%s'", text)
	}
	return s.list("What speaks of '"+text+"'", found)
}

func containsWords(text, words string) bool {
	text = strings.ToLower(text)
	for word := range strings.FieldsSeq(strings.ToLower(words)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// overview prints what faust is, its commands, the pages of the manual and the areas of the API.
func (s *session) overview() error {
	var b strings.Builder
	s.writeCommands(&b)
	var rows [][2]string
	for _, p := range docs.Pages() {
		rows = append(rows, [2]string{p.Name, p.About})
	}
	writeRows(&b, "Manual:", rows)
	b.WriteString("Names that scripts use:\n")
	var areas strings.Builder
	areas.WriteString("| | |\n|---|---|\n")
	for _, a := range apiAreas() {
		fmt.Fprintf(&areas, "| %s | `%s` |\n", a.name, strings.Join(a.names, " "))
	}
	b.WriteString(docs.Render(areas.String(), docs.Style{Width: width(s.Stdout)}))
	b.WriteString("\nExamples:\n  faust help start\n  faust help worker\n  faust help app.topic\n  faust help search key\n")
	return s.showHelp(b.String())
}

// apiArea is a row of the overview: what stands alone or has members.
type apiArea struct {
	name  string
	names []string
}

func apiAreas() []apiArea {
	areas := []apiArea{{name: "modules"}, {name: "objects"}, {name: "functions"}, {name: "of Lua"}}
	for _, e := range api.All() {
		at := 2
		switch {
		case e.Of() != "":
			continue
		case e.Kind != api.Object && api.OfLua(e.Name):
			at = 3
		case e.Kind == api.Module:
			at = 0
		case e.Kind == api.Object:
			at = 1
		}
		areas[at].names = append(areas[at].names, e.Name)
	}
	return areas
}

// helpNames are all names that help knows, with what they are.
func (s *session) helpNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, named(c.Name(), c.Short))
	}
	for _, p := range docs.Pages() {
		names = append(names, named(p.Name, p.Title))
	}
	for _, e := range api.All() {
		if !strings.Contains(e.Name, " ") {
			names = append(names, named(e.Name, e.Text))
		}
	}
	return names
}

// unknownName finds out what a name that help does not know was meant to be.
func (s *session) unknownName(root *cobra.Command, name string) error {
	if err := s.missingApp(name); s.app == nil && err != nil {
		return err
	}
	if full, ok := api.FindLater(name); ok {
		return usagef("'%s' is not in this version", full)
	}
	if app.Reserved(name) {
		return usagef("'%s' is not in this version", name)
	}
	known := app.BuiltinCommands()
	for _, n := range s.helpNames(root) {
		n, _, _ = strings.Cut(n, "\t")
		known = append(known, n)
	}
	best := fault.Suggest(name, known)
	for _, e := range api.All() {
		known = append(known, e.Last())
	}
	if best == "" {
		best = fault.Suggest(name, known)
	}
	err := usagef("nothing is called '%s'", name)
	if err.hint = "look for it:  " + s.program + " help search " + quoteArg(name); best != "" {
		err.hint = fmt.Sprintf("did you mean '%s'?", best)
	}
	return err
}
