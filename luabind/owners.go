package luabind

import (
	"faust/luabind/fault"
)

// owners are the topics whose names are taken, and by what.
type owners map[string]string

// claim takes a name for a topic of the app's own. who needs it ("agent 'audit'"), as is what it becomes, at where that was declared, and hint what to do if the name
// is taken; "": nothing is known. The error says why it cannot be had.
func (o owners) claim(name, who, as string, at fault.Place, hint string) error {
	e := usage("%s needs a topic of its own called '%s'", who, fault.Cut(name, 80))
	e.Place = at
	switch taken, ok := o[name]; {
	case ok:
		e.Message += ", but that is " + taken
		if hint != "" {
			e.Hints = []string{hint}
		}
		return e
	case !topicName.MatchString(name):
		e.Message += ", which is too long for Kafka (249 characters)"
		return e
	}
	o[name] = as
	return nil
}
