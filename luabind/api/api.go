// Package api is the one description of what a script can call and read: names, parameters, options, types, texts and examples, as plain data.
// The decoders of arguments take names and types from it; help, the console, completion and editors show it. It imports nothing of ours.
package api

// Kind tells what an entry is.
type Kind string

// The kinds of entries.
const (
	Module   Kind = "module"   // app, json: a table of functions and values
	Function Kind = "function" // app.topic, json.encode, say: called with a dot, or by its name alone
	Value    Kind = "value"    // app.conf, json.null, null
	Object   Kind = "object"   // topic: what app.topic gives, by the name that messages call it
	Method   Kind = "method"   // topic:send: called with a colon
	Field    Kind = "field"    // event.key: of an object
)

// Entry describes one public name.
type Entry struct {
	Name    string   // app.topic, topic:send, event.key, say
	Kind    Kind     //
	Type    string   // of a value or a field
	Params  []Param  // in order
	Options []Option // of the table that stands where the parameter of type Options is

	OptionsOf string // whose options they are, if not the call's: a field

	Returns []Return // in order
	Waits   bool     // it may wait, and other tasks run meanwhile
	Text    string   // one sentence
	More    string   // what else there is to know; "": nothing
	Example string   // a whole script that runs; what a line prints stands behind -->
	See     []string // names of other entries
}

// Param is one parameter.
type Param struct {
	Name     string
	Type     string
	Optional bool
	Rest     bool     // any number of them
	Args     string   // of a function: what it is called with
	Choices  []string // of a text that is one of these
	Text     string
}

// Return is one value that a call gives.
type Return struct{ Type, Text string }

// Option is one named value of a table.
type Option struct {
	Name     string
	Type     string
	Of       string   // of a list: what its items are
	Choices  []string // of a text that is one of these
	Min, Max int      // of a whole number, Min also of the length of a list; Max 0: no limit
	Default  string   // as a script would write it; "": nil
	Required bool
	Options  []Option // of a table: what it may have
	Text     string
}

// The types that arguments are checked for. Others are texts for people: what they say is checked where they are used.
const (
	String   = "string"
	Boolean  = "boolean"
	Number   = "number"
	Whole    = "whole number"
	Duration = "duration" // seconds, or a text such as '10s'
	Table    = "table"
	List     = "list"
	Func     = "function"
	Any      = "any"

	Options = "options" // of a parameter: the table of Entry.Options
)

// Of gives the name of the module or object that an entry belongs to: app for app.topic, topic for topic:send; "" for what stands alone.
func (e *Entry) Of() string {
	for i := len(e.Name) - 1; i > 0; i-- {
		if e.Name[i] == '.' || e.Name[i] == ':' {
			return e.Name[:i]
		}
	}
	return ""
}

// Last gives the last part of an entry's name: topic for app.topic, send for topic:send.
func (e *Entry) Last() string {
	if of := e.Of(); of != "" {
		return e.Name[len(of)+1:]
	}
	return e.Name
}

// Option finds an option by its name.
func (e *Entry) Option(name string) (*Option, bool) {
	for i := range e.Options {
		if e.Options[i].Name == name {
			return &e.Options[i], true
		}
	}
	return nil, false
}

// Names gives the names of options in their order.
func Names(options []Option) []string {
	names := make([]string, len(options))
	for i := range options {
		names[i] = options[i].Name
	}
	return names
}
