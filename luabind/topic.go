package luabind

import (
	"maps"
	"regexp"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/api"
	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// topicName is what Kafka takes for the name of a topic; "." and ".." are refused as well.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// topicObject is a topic: declared by the script, or one of an agent's own, which is named at the end of loading.
type topicObject struct {
	b          *binding
	decl       *app.Topic
	key, val   record.Codec
	declaredAt fault.Place
	group      *group // that it has the messages of; nil: none
	lua        *lua.LUserData
}

func (t *topicObject) Describe() string {
	if t.group != nil {
		return t.group.source.label() + ":group_by('" + t.group.name + "')"
	}
	return "the topic " + t.decl.Name
}
func (t *topicObject) value() lua.LValue { return t.lua }

func (b *binding) topicKind(L *lua.LState) *lua.LTable {
	methods := map[string]lua.LGFunction{"send": b.topicSend, "group_by": b.topicGroupBy}
	for _, name := range api.LaterMembers("topic") {
		methods[name] = later("topic:" + name)
	}
	fields := func(_ *lua.LState, self any, key string) lua.LValue {
		if key == "name" {
			return lua.LString(self.(*topicObject).decl.Name)
		}
		return nil
	}
	return b.kind(L, "topic", methods, fields, "name")
}

// appTopic is app.topic(name, { key=, value=, partitions=, retention=, compact=, partitioner=, help= }) -> topic.
func (b *binding) appTopic(L *lua.LState) int {
	a := b.call(L, "app.topic")
	b.declare(a)
	name := a.Text("the topic's name")
	a.About(name)
	b.checkTopicName(a, name)
	o := a.Options()
	a.Done()
	t := b.newTopic(&app.Topic{Topic: b.topicDeclaration(name, o), Help: o.Text("help"), Place: a.Place().String()}, a.Place())
	t.key, t.val = b.codec(o, "key", "string"), b.codec(o, "value", "json")
	t.decl.Key, t.decl.Value = t.key.Name(), t.val.Name()
	b.topics.add(name, t)
	b.app.Topics = append(b.app.Topics, t.decl)
	L.Push(t.lua)
	return 1
}

func (b *binding) checkTopicName(a *arg.Args, name string) {
	first, taken := b.topics.find(name)
	if taken {
		alreadyDeclared(a, "topic", name, first.declaredAt)
	}
	checkName(a, "topic", name)
}

// alreadyDeclared raises because a name was given before.
func alreadyDeclared(a *arg.Args, kind, name string, first fault.Place) {
	a.Hint("app."+kind+"s['"+name+"'] gives it", "%s '%s' is declared twice: first at %s", kind, name, first)
}

// checkName makes sure that a name can be that of a topic, or a part of one's.
func checkName(a *arg.Args, kind, name string) {
	if !topicName.MatchString(name) || name == "." || name == ".." {
		a.Fail("'%s' cannot be the name of a %s: letters, digits, '.', '_' and '-', at most 249 of them", fault.Cut(name, 60), kind)
	}
}

// topicDeclaration reads what the runtime has to know of a topic.
func (b *binding) topicDeclaration(name string, o arg.Options) topic.Topic {
	t := topic.Topic{Name: name, Compact: o.Boolean("compact")}
	if n, ok := o.Integer("partitions"); ok {
		t.Partitions = int32(n)
	}
	if n, ok := o.Integer("replication"); ok {
		t.Replication = int16(n)
	}
	t.Partitioner = topic.Partitioner(o.Text("partitioner"))
	if o.Value("retention") == lua.LString("forever") {
		t.Retention = -1
	} else if d, ok := o.Duration("retention"); ok {
		if d < time.Second {
			o.Wrong("retention", o.Value("retention"), "a duration from '1s' on, or 'forever'")
		}
		t.Retention = d
	}
	return t
}

// codec finds the codec of an option: a name such as 'json', or a record type.
func (b *binding) codec(o arg.Options, name, fallback string) record.Codec {
	c, err := b.reg.Codec(o.Value(name), fallback)
	if err != nil {
		o.Raise(name, err)
	}
	return c
}

func (b *binding) newTopic(decl *app.Topic, at fault.Place) *topicObject {
	t := &topicObject{b: b, decl: decl, declaredAt: at}
	t.lua = object(t, b.kinds.topic)
	return t
}

// internalTopic makes a topic of an agent's own; it is named at the end of loading, when the app's id is known.
func (b *binding) internalTopic(as topic.Topic, key, val record.Codec, at fault.Place) *topicObject {
	t := b.newTopic(&app.Topic{Topic: as, Key: key.Name(), Value: val.Name(), Place: at.String()}, at)
	t.key, t.val = key, val
	return t
}

// appRecord is app.record(name, { field = 'type', ... }) -> record type.
func (b *binding) appRecord(L *lua.LState) int {
	a := b.call(L, "app.record")
	b.declare(a)
	name := a.Text("the record's name")
	a.About(name)
	fields := a.Table("the table of fields", "a table")
	a.Done()
	s, err := b.reg.Declare(name, fields)
	if err != nil {
		a.Raise(err)
	}
	r := &app.Record{Name: name, Place: a.Place().String()}
	for _, f := range s.Fields {
		r.Fields = append(r.Fields, app.Field(f))
	}
	b.app.Records = append(b.app.Records, r)
	L.Push(s.Value())
	return 1
}

func (b *binding) recordNames() []string { return slices.Sorted(maps.Keys(b.reg.Records())) }

func (b *binding) recordValue(name string) lua.LValue {
	if s, ok := b.reg.Records()[name]; ok {
		return s.Value()
	}
	return nil
}

// topicArgument takes a topic.
func topicArgument(a *arg.Args, what string) *topicObject {
	v := a.Value(what)
	t, ok := as[*topicObject](v)
	if !ok {
		a.Wrong(what, v, "a topic")
	}
	return t
}
