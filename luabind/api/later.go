package api

import (
	"slices"
	"strings"
)

// later are the names that are taken and come in later versions: they raise when they are used.
var later = []string{
	"app.keep",
	"topic:join", "stream:pairs", "stream:group_by",
	"csv", "fs", "template", "metrics", "sql", "redis",
}

// Later tells whether a name is one of a later version.
func Later(name string) bool { return slices.Contains(later, name) }

// FindLater gives the name of a later version that a person may mean: the full name, or its last part.
func FindLater(name string) (string, bool) {
	want := plain(name)
	for _, full := range later {
		e := Entry{Name: full}
		if plain(full) == want || e.Last() == want {
			return full, true
		}
	}
	return "", false
}

// LaterMembers gives the last parts of the names of a later version that belong to a module or an object: table for app; those that stand alone for "".
func LaterMembers(of string) []string {
	var names []string
	for _, name := range later {
		e := Entry{Name: name}
		if e.Of() == of {
			names = append(names, strings.TrimLeft(strings.TrimPrefix(name, of), ".:"))
		}
	}
	return names
}
