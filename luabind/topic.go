package luabind

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

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
	lua        *lua.LUserData
}

func (t *topicObject) Describe() string  { return "the topic " + t.decl.Name }
func (t *topicObject) value() lua.LValue { return t.lua }

func (b *binding) topicKind(L *lua.LState) *lua.LTable {
	methods := map[string]lua.LGFunction{"send": b.topicSend}
	for _, name := range []string{"group_by", "join"} {
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
	name := a.text("the topic's name")
	a.about(name)
	b.checkTopicName(a, name)
	o := a.options("key", "value", "partitions", "retention", "compact", "partitioner", "help", "replication")
	a.done()
	t := b.newTopic(&app.Topic{Topic: b.topicDeclaration(name, o), Help: o.text("help"), Place: a.place().String()}, a.place())
	t.key, t.val = b.codec(o, "key", "string"), b.codec(o, "value", "json")
	t.decl.Key, t.decl.Value = t.key.Name(), t.val.Name()
	b.topics.add(name, t)
	b.app.Topics = append(b.app.Topics, t.decl)
	L.Push(t.lua)
	return 1
}

func (b *binding) checkTopicName(a *args, name string) {
	if first, ok := b.topics.find(name); ok {
		a.hint("app.topics['"+name+"'] gives it", "topic '%s' is declared twice: first at %s", name, first.declaredAt)
	}
	if !topicName.MatchString(name) || name == "." || name == ".." {
		a.fail("'%s' cannot be the name of a topic: letters, digits, '.', '_' and '-', at most 249 of them", fault.Cut(name, 60))
	}
}

// topicDeclaration reads what the runtime has to know of a topic.
func (b *binding) topicDeclaration(name string, o options) topic.Topic {
	t := topic.Topic{Name: name, Compact: o.boolean("compact")}
	if n, ok := o.integer("partitions", 1, 10000); ok {
		t.Partitions = int32(n)
	}
	if n, ok := o.integer("replication", 1, math.MaxInt16); ok {
		t.Replication = int16(n)
	}
	t.Partitioner = topic.Partitioner(o.word("partitioner", string(topic.Murmur2), string(topic.CRC32)))
	if o.value("retention") == lua.LString("forever") {
		t.Retention = -1
	} else if d, ok := o.duration("retention"); ok {
		if d < time.Second {
			o.wrong("retention", o.value("retention"), "a duration from '1s' on, or 'forever'")
		}
		t.Retention = d
	}
	return t
}

// codec finds the codec of an option: a name such as 'json', or a record type.
func (b *binding) codec(o options, name, fallback string) record.Codec {
	c, err := b.reg.Codec(o.value(name), fallback)
	if err != nil {
		o.raise(name, err)
	}
	return c
}

func (b *binding) newTopic(decl *app.Topic, at fault.Place) *topicObject {
	t := &topicObject{b: b, decl: decl, declaredAt: at}
	t.lua = object(t, b.kinds.topic)
	return t
}

// internalTopic makes a topic of an agent's own; it is named at the end of loading, when the app's id is known.
func (b *binding) internalTopic(key, val record.Codec, at fault.Place) *topicObject {
	t := b.newTopic(&app.Topic{Topic: topic.Topic{Internal: true}, Key: key.Name(), Value: val.Name(), Place: at.String()}, at)
	t.key, t.val = key, val
	return t
}

// appRecord is app.record(name, { field = 'type', ... }) -> record type.
func (b *binding) appRecord(L *lua.LState) int {
	a := b.call(L, "app.record")
	b.declare(a)
	name := a.text("the record's name")
	a.about(name)
	fields := a.table("the table of fields")
	a.done()
	s, err := b.reg.Declare(name, fields)
	if err != nil {
		a.raise(err)
	}
	r := &app.Record{Name: name, Place: a.place().String()}
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
func topicArgument(a *args, what string) *topicObject {
	v := a.value(what)
	t, ok := as[*topicObject](v)
	if !ok {
		a.wrong(what, v, "a topic")
	}
	return t
}
