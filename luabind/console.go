package luabind

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/console"
	"faust/luabind/record"
	"faust/runtime/app"
	"faust/runtime/control"
)

// Console makes a console of the script. limit is how long a line may hold the machine without waiting; 0: as long as it likes. late gets what tasks print that
// a line started, while no line runs; nil: the next line shows it.
func (s *Script) Console(limit time.Duration, late io.Writer) control.Console {
	return console.New(console.Config{VM: s.VM, Registry: s.b.reg, App: declarations{s.b}, Log: s.b.log, Limit: limit, Late: late, Hidden: s.b.cfg.Hidden})
}

// declarations is what the console sees of a script.
type declarations struct{ b *binding }

// Names implements console.App.
func (d declarations) Names(kind string) []string { return d.b.named()[kind].names() }

// Declared implements console.App.
func (d declarations) Declared(kind, name string) lua.LValue { return d.b.named()[kind].value(name) }

// Members implements console.App.
func (d declarations) Members(v lua.LValue) ([]console.Member, bool) {
	switch v := v.(type) {
	case *lua.LTable:
		if list := d.b.listings[v]; list != nil {
			return list(), true
		}
	case *lua.LUserData:
		mt, _ := v.Metatable.(*lua.LTable)
		set, ok := d.b.members[mt]
		if !ok {
			return nil, false
		}
		out := tableMembers(set.methods)
		for i := range out {
			out[i].Kind = "method"
		}
		for _, name := range set.fields {
			out = append(out, console.Member{Name: name, Kind: "field"})
		}
		return sorted(out), true
	}
	return nil, false
}

func sorted(list []console.Member) []console.Member {
	slices.SortFunc(list, func(a, b console.Member) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// tableMembers are the entries of a table of ours.
func tableMembers(t *lua.LTable) []console.Member {
	var out []console.Member
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		kind := "field"
		if v.Type() == lua.LTFunction {
			kind = "function"
		}
		out = append(out, console.Member{Name: lua.LVAsString(k), Kind: kind, Value: v})
	}
	return sorted(out)
}

// declaredMembers are the entries of app.topics and so on.
func declaredMembers(kind string, d finder) []console.Member {
	var out []console.Member
	for _, name := range d.names() {
		out = append(out, console.Member{Name: name, Kind: strings.TrimSuffix(kind, "s"), Value: d.value(name)})
	}
	return out
}

// settingMembers are the entries of app.conf.
func (b *binding) settingMembers() []console.Member {
	var out []console.Member
	for _, s := range app.Schema() {
		v, _ := b.app.Settings.Value(s.Name)
		out = append(out, console.Member{Name: s.Name, Kind: "field", Value: settingValue(s.Kind, v.Text)})
	}
	return sorted(out)
}

// About implements console.App.
func (d declarations) About(v lua.LValue) *console.About {
	if s, ok := record.SchemaOf(v); ok {
		return d.b.aboutRecord(s)
	}
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return nil
	}
	switch x := ud.Value.(type) {
	case *topicObject:
		return d.b.aboutTopic(x)
	case *agentObject:
		return d.b.aboutAgent(x)
	case *channelObject:
		return d.b.aboutChannel(x)
	case *tableObject:
		return d.b.aboutTable(x)
	}
	return nil
}

// rows collects labelled lines; empty ones are left out.
type rows []console.Row

func (r *rows) add(label, text string) {
	if text != "" {
		*r = append(*r, console.Row{Label: label, Text: text})
	}
}

func (b *binding) aboutTopic(t *topicObject) *console.About {
	var r rows
	r.add("key", t.decl.Key)
	r.add("value", t.decl.Value)
	partitions := int64(t.decl.Partitions)
	if partitions == 0 {
		partitions = int64(b.app.Settings.TopicPartitions)
	}
	r.add("partitions", strconv.FormatInt(partitions, 10))
	switch {
	case t.decl.Retention < 0:
		r.add("retention", "forever")
	case t.decl.Retention > 0:
		r.add("retention", app.FormatDuration(t.decl.Retention))
	}
	if t.decl.Compact {
		r.add("compact", "true")
	}
	r.add("help", t.decl.Help)
	r.add("read by", strings.Join(b.readers(func(g *agentObject) bool { return slices.Contains(g.sources(), t) }), ", "))
	r.add("written by", strings.Join(b.writers(t), ", "))
	return &console.About{Title: "topic " + t.decl.Name, Rows: r, Place: line(t.declaredAt), Type: "topic", Schema: schemaOf(t.val)}
}

// readers names the agents for which reads is true.
func (b *binding) readers(reads func(*agentObject) bool) []string {
	var out []string
	for _, g := range b.agents.order {
		if reads(g) {
			out = append(out, "agent "+g.def.Name)
		}
	}
	return out
}

func (b *binding) aboutAgent(g *agentObject) *console.About {
	var r rows
	switch {
	case g.channel != nil:
		r.add("reads", g.channel.queue.Name())
	case g.def.Private:
		r.add("reads", "its own topic, reached by cast and ask")
	default:
		var names []string
		for _, t := range g.sources() {
			names = append(names, t.decl.Name)
		}
		r.add("reads", strings.Join(names, ", "))
	}
	r.add("value", g.val.Name())
	r.add("sinks", strings.Join(g.def.Sinks, ", "))
	r.add("concurrency", itoa(g.def.Concurrency))
	if g.def.Policy != nil {
		r.add("on error", g.def.Policy.String())
	}
	r.add("dead letters", g.deadLetters.decl.Name)
	r.add("help", g.def.Help)
	return &console.About{Title: "agent " + g.def.Name, Rows: r, Place: line(g.declaredAt), Code: g.fn, Type: "agent", Schema: schemaOf(g.val)}
}

func (b *binding) aboutChannel(c *channelObject) *console.About {
	var r rows
	r.add("value", c.val.Name())
	r.add("read by", strings.Join(b.readers(func(g *agentObject) bool { return g.channel == c }), ", "))
	return &console.About{Title: c.queue.Name(), Rows: r, Type: "channel", Schema: schemaOf(c.val)}
}

func (*binding) aboutTable(t *tableObject) *console.About {
	var r rows
	r.add("key", t.def.Key)
	r.add("value", t.def.Value)
	r.add("default", t.def.Default)
	if t.def.Anywhere {
		r.add("scope", "partition")
	}
	r.add("used by", t.users())
	r.add("changelog", t.def.Changelog.Name)
	r.add("help", t.def.Help)
	return &console.About{Title: "table " + t.def.Name, Rows: r, Place: line(t.declaredAt), Type: "table", Schema: schemaOf(t.val)}
}

func (b *binding) aboutRecord(s *record.Schema) *console.About {
	about := &console.About{Title: "record " + s.Name}
	var r rows
	for _, f := range s.Fields {
		text := f.Type
		if f.Default != "" {
			text += " = " + f.Default
		}
		if f.Help != "" {
			text += "   " + f.Help
		}
		r.add(f.Name, text)
	}
	about.Rows = r
	for _, declared := range b.app.Records {
		if declared.Name == s.Name {
			about.Place = withoutColumn(declared.Place)
		}
	}
	return about
}

// schemaOf gives the record type of messages; nil: they are no records.
func schemaOf(c record.Codec) *record.Schema {
	s, ok := record.CodecSchema(c)
	if !ok {
		return nil
	}
	return s
}

// withoutColumn cuts the column off a place that is a text.
func withoutColumn(place string) string {
	parts := strings.Split(place, ":")
	if n := len(parts); n > 2 {
		if _, err := strconv.Atoi(parts[n-2]); err == nil {
			return strings.Join(parts[:n-1], ":")
		}
	}
	return place
}
