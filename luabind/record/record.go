// Package record is values: declared record types with compiled decoders and lazy record objects, codecs between Lua values and bytes, and
// the value types that Lua lacks (int64, decimal, datetime, date, uuid, null, lists and objects that remember what they are).
// It knows Lua, not the runtime.
package record

import (
	lua "github.com/yuin/gopher-lua"
)

// Registry holds the record types of one app and the metatables of one state. Used with the baton held.
type Registry struct{}

// NewRegistry makes the metatables in L.
func NewRegistry(L *lua.LState) *Registry { panic("outline") }

// Declare makes a record type of the table given to app.record: field name -> 'type' or { type=, default=, min=, max=, help=, format= }.
// Errors are *fault.Error without place (the caller knows it) that name record and field, with a suggestion for unknown types and keys.
func (g *Registry) Declare(name string, fields *lua.LTable) (*Schema, error) { panic("outline") }

// Schema is a declared record type. Its Lua value (Value) is callable: Withdrawal{ user='u' } makes a checked record.
type Schema struct {
	Name   string
	Fields []Field
}

// Field describes one field for the looking commands.
type Field struct {
	Name, Type, Default, Help string
	Required                  bool
}

// Value is the Lua value of the type: callable, with a readable tostring.
func (s *Schema) Value() lua.LValue { panic("outline") }

// SchemaOf gives the record type that v is the Lua value of.
func SchemaOf(v lua.LValue) (*Schema, bool) { panic("outline") }

// Codec turns Lua values into bytes and back: json, string, bytes (raw), int64, or a record type. Used with the baton held.
type Codec interface {
	// Name is what scripts and lists call it: json, string, Withdrawal.
	Name() string
	// Decode makes a Lua value of b. b is not changed as long as the value lives, but a value that is kept beyond its event holds the
	// whole fetch buffer unless it copies: see Escape. nil b (tombstone, no key) gives null. Errors are *fault.Error with code decode.
	Decode(L *lua.LState, b []byte) (lua.LValue, error)
	// Encode appends the bytes of v. null gives (nil, nil): a tombstone. Errors are *fault.Error with code validation.
	Encode(L *lua.LState, buf []byte, v lua.LValue) ([]byte, error)
}

// Codec finds a codec for what a script gave as key= or value=: a name, or a record type. Absent (nil) gives fallback's codec.
func (g *Registry) Codec(v lua.LValue, fallback string) (Codec, error) { panic("outline") }

// Null is the one null value: null == json.null.
func (g *Registry) Null() lua.LValue { panic("outline") }

// JSON encodes any Lua value as JSON text (json.encode, page bodies); indent 0 is compact.
func (g *Registry) JSON(L *lua.LState, v lua.LValue, indent int) ([]byte, error) { panic("outline") }

// ParseJSON decodes JSON text to plain values (json.decode).
func (g *Registry) ParseJSON(L *lua.LState, b []byte) (lua.LValue, error) { panic("outline") }

// Inspect writes any value readably: records by name, tables sorted, times, never an address.
func (g *Registry) Inspect(v lua.LValue) string { panic("outline") }
