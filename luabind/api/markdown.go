package api

import (
	"fmt"
	"strings"
)

// Markdown writes everything there is to say of an entry as a page of Markdown; for modules and objects with a list of what they have.
func (e *Entry) Markdown() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "# %s\n\n", e.Name)
	if signature := e.Signature(); signature != e.Name {
		fmt.Fprintf(b, "    %s\n\n", signature)
	}
	b.WriteString(e.Text)
	if e.Waits {
		b.WriteString(" While it waits, other tasks run.")
	}
	b.WriteByte('\n')
	if e.More != "" {
		fmt.Fprintf(b, "\n%s\n", e.More)
	}
	e.parameters(b)
	title := "Options"
	if e.OptionsOf != "" {
		title += " of " + e.OptionsOf
	}
	optionRows(b, title, e.Options)
	for i := range e.Options {
		optionRows(b, "Options of "+e.Options[i].Name, e.Options[i].Options)
	}
	e.returned(b)
	e.members(b)
	if e.Example != "" {
		fmt.Fprintf(b, "\n## Example\n\n```lua\n%s\n```\n", e.Example)
	}
	if len(e.See) > 0 {
		fmt.Fprintf(b, "\nSee also: %s\n", strings.Join(e.See, ", "))
	}
	return b.String()
}

// tableRow writes one row. The tables have no heads: what stands where is plain to see.
func tableRow(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}

func tableHead(b *strings.Builder, title string, columns int) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	b.WriteString(strings.Repeat("| ", columns) + "|\n" + strings.Repeat("|---", columns) + "|\n")
}

func (e *Entry) parameters(b *strings.Builder) {
	first := true
	for i := range e.Params {
		p := &e.Params[i]
		if p.Text == "" {
			continue
		}
		if first {
			tableHead(b, "Parameters", 2)
			first = false
		}
		name, kind := p.Name, p.Type
		switch {
		case p.Rest:
			name = "..."
		case p.Type == Options:
			kind = Table
		case p.Type == Func:
			kind = "function(" + p.Args + ")"
		case p.Choices != nil:
			kind = choices(p.Choices)
		}
		if p.Optional {
			kind += "; may be left out"
		}
		tableRow(b, "`"+name+"`", p.Text+" ("+kind+")")
	}
}

func optionRows(b *strings.Builder, title string, options []Option) {
	if len(options) == 0 {
		return
	}
	tableHead(b, title, 2)
	for i := range options {
		o := &options[i]
		about := o.Takes()
		switch {
		case o.Required:
			about += "; required"
		case o.Default != "":
			about += "; default " + o.Default
		}
		tableRow(b, "`"+o.Name+"`", o.Text+" ("+about+")")
	}
}

// Takes tells what an option takes: its type, with its limits and what is in it, or its choices.
func (o *Option) Takes() string {
	switch {
	case o.Choices != nil:
		return choices(o.Choices)
	case o.Of != "":
		return o.Type + " of " + o.Of
	case o.Type == Whole && o.Max > 0:
		return fmt.Sprintf("whole number from %d to %d", o.Min, o.Max)
	case o.Type == Whole && o.Min > 0:
		return fmt.Sprintf("whole number from %d", o.Min)
	}
	return o.Type
}

// choices writes the texts of which one is taken.
func choices(list []string) string { return "'" + strings.Join(list, "', '") + "'" }

func (e *Entry) returned(b *strings.Builder) {
	if len(e.Returns) == 0 {
		return
	}
	tableHead(b, "Returns", 2)
	for _, r := range e.Returns {
		tableRow(b, r.Type, r.Text)
	}
}

// members lists what a module or an object has.
func (e *Entry) members(b *strings.Builder) {
	if e.Kind != Module && e.Kind != Object {
		return
	}
	first := true
	for _, m := range Members(e.Name) {
		if own := m.Kind == Function || m.Kind == Value; own != (e.Kind == Module) {
			continue
		}
		if first {
			tableHead(b, "Members", 2)
			first = false
		}
		tableRow(b, "`"+m.short()+"`", m.Text)
	}
}

// short is the name of a member as it is listed: with a dot or colon before it, and brackets behind what is called.
func (e *Entry) short() string {
	name := e.Name[len(e.Of()):]
	if e.Kind == Function || e.Kind == Method {
		name += "()"
	}
	return name
}
