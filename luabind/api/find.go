package api

import (
	"slices"
	"strings"
)

// book is the description in the order in which it is written, and ways into it.
type book struct {
	entries []*Entry
	called  map[string]*Entry   // modules, functions, values, methods and fields by name
	objects map[string]*Entry   // objects by name
	members map[string][]*Entry // of modules and objects
}

var all = compile()

func compile() book {
	b := book{called: map[string]*Entry{}, objects: map[string]*Entry{}, members: map[string][]*Entry{}}
	for _, area := range [][]Entry{
		appEntries, agentEntries, runEntries, pageEntries, commandEntries, confEntries(), topicEntries, keyedEntries, setEntries, windowEntries, streamEntries, eventEntries, messageEntries,
		globalEntries, taskEntries, recordEntries, valueEntries, errorEntries,
		jsonEntries, timeEntries, randomEntries, uuidEntries, envEntries, secretEntries, logEntries, httpEntries, webEntries,
		regexEntries, base64Entries, urlEntries, cryptoEntries, exactEntries,
		luaEntries, stringEntries, tableEntries, mathEntries, utf8Entries, coroutineEntries, systemEntries,
	} {
		for i := range area {
			b.add(&area[i])
		}
	}
	return b
}

func (b *book) add(e *Entry) {
	b.entries = append(b.entries, e)
	if e.Kind == Object {
		b.objects[e.Name] = e
	} else {
		b.called[e.Name] = e
	}
	if of := e.Of(); of != "" {
		b.members[of] = append(b.members[of], e)
	}
}

// All gives every entry, those that belong together in a row. The entries are shared: nobody may change them.
func All() []*Entry { return all.entries }

// Get gives the module, function, value, method or field of that full name: app.topic, topic:send, event.key, say. nil: there is none.
func Get(name string) *Entry { return all.called[name] }

// ObjectOf gives the object of that name, which is what the metatable of its values says: topic, event, datetime. nil: there is none.
func ObjectOf(name string) *Entry { return all.objects[name] }

// Members gives what belongs to a module or an object: functions and values of the one, methods and fields of the other, in order. Where a
// module and an object have one name (decimal) it gives those of both; their kinds tell them apart.
func Members(of string) []*Entry { return all.members[of] }

// Find gives what a person may mean by name: the entries of that full name (app.topic, topic:send, topic); else those whose last part it is (send),
// whatever stands between the parts (topic.send), and without regard to case. Empty: nothing is called so.
func Find(name string) []*Entry {
	name = strings.TrimRight(strings.TrimSpace(name), "()?{}")
	var found []*Entry
	if e := Get(name); e != nil {
		found = append(found, e)
	}
	if e := ObjectOf(name); e != nil {
		found = append(found, e)
	}
	if found != nil {
		return found
	}
	want := plain(name)
	for _, match := range []func(e *Entry) bool{
		func(e *Entry) bool { return plain(e.Name) == want },
		func(e *Entry) bool { return strings.ToLower(e.Last()) == want },
	} {
		for _, e := range all.entries {
			if match(e) {
				found = append(found, e)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, ":", ".")) }

// Search gives the entries that have every word of text somewhere, those that have them in their names first.
func Search(text string) []*Entry {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return nil
	}
	var ranked [3][]*Entry
	for _, e := range all.entries {
		if r := e.rank(words); r >= 0 {
			ranked[r] = append(ranked[r], e)
		}
	}
	return slices.Concat(ranked[:]...)
}

// rank tells where an entry has the words: 0 in its name, 1 in its sentence, 2 somewhere else, -1 not all of them.
func (e *Entry) rank(words []string) int {
	name := strings.ToLower(e.Name)
	text := name + " " + strings.ToLower(e.Text)
	rest := text + " " + strings.ToLower(e.More)
	for i := range e.Params {
		rest += " " + strings.ToLower(e.Params[i].Name+" "+e.Params[i].Text)
	}
	for i := range e.Options {
		rest += " " + strings.ToLower(e.Options[i].Name+" "+e.Options[i].Text)
	}
	for rank, where := range []string{name, text, rest} {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(where, w) }) {
			return rank
		}
	}
	return -1
}
