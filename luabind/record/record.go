// Package record is values: declared record types with compiled decoders and lazy record objects, codecs between Lua values and bytes, and
// the value types that Lua lacks (int64, decimal, datetime, date, uuid, null, lists and objects that remember what they are).
// It knows Lua, not the runtime.
package record

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// Registry holds the record types of one app and the metatables of one state. Used with the baton held.
type Registry struct {
	// Raise raises err in L and does not return: how the metamethods of this package report an error, so that the machine can add place
	// and traceback. nil raises err as it is, in a userdata.
	Raise func(L *lua.LState, err error)

	schemas map[string]*Schema
	codecs  map[string]Codec

	null      *lua.LUserData
	arrayMeta *lua.LTable
	recordMT  *lua.LTable
	typeMT    *lua.LTable
	int64MT   *lua.LTable
	decimalMT *lua.LTable
	timeMT    *lua.LTable
	dateMT    *lua.LTable
	errorMT   *lua.LTable
	derive    *lua.LFunction
	next      *lua.LFunction

	revealed *bool // set while something is encoded to be sent: whether a secret was in it

	strings stringCache
	numbers numberSlab
	slots   []slot       // stack of the scanner for records inside records
	stack   []lua.LValue // stack of the untyped parser
	keys    internStat   // of untyped objects' names
	texts   internStat   // of untyped strings
}

// NewRegistry makes the metatables in L.
func NewRegistry(L *lua.LState) *Registry {
	g := &Registry{schemas: map[string]*Schema{}, codecs: map[string]Codec{}}
	g.null = g.newNull(L)
	g.arrayMeta = L.CreateTable(0, 0)
	g.errorMT = L.CreateTable(0, 1)
	g.errorMT.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString(fmt.Sprint(L.CheckUserData(1).Value)))
		return 1
	}))
	g.recordMT = g.newRecordMeta(L)
	g.typeMT = g.newTypeMeta(L)
	g.int64MT = g.newInt64Meta(L)
	g.decimalMT = g.newDecimalMeta(L)
	g.timeMT = g.newDatetimeMeta(L)
	g.dateMT = g.newDateMeta(L)
	g.registerCodecs()
	return g
}

// raise ends the running Lua function with err.
func (g *Registry) raise(L *lua.LState, err error) {
	if g.Raise != nil {
		g.Raise(L, err)
	}
	L.Error(&lua.LUserData{Value: err, Metatable: g.errorMT}, 1)
}

// wrap makes a Lua function of one that gives a value or an error.
func (g *Registry) wrap(L *lua.LState, f func(L *lua.LState) (lua.LValue, error)) *lua.LFunction {
	return L.NewFunction(func(L *lua.LState) int {
		v, err := f(L)
		if err != nil {
			g.raise(L, err)
		}
		L.Push(v)
		return 1
	})
}

// metatable makes a metatable of Go functions; scripts see __metatable in its place.
func (g *Registry) metatable(L *lua.LState, name string, methods map[string]func(L *lua.LState) (lua.LValue, error)) *lua.LTable {
	mt := L.CreateTable(0, len(methods)+1)
	for event, f := range methods {
		mt.RawSetString(event, g.wrap(L, f))
	}
	mt.RawSetString("__metatable", lua.LString(name))
	return mt
}

// newUserData makes a userdata of v with metatable mt.
func newUserData(v any, mt *lua.LTable) *lua.LUserData {
	return &lua.LUserData{Value: v, Metatable: mt}
}

// Array marks t as a list, so that it is written as [] even if it is empty, and gives it back (json.array).
func (g *Registry) Array(t *lua.LTable) *lua.LTable {
	t.Metatable = g.arrayMeta
	return t
}

// Null is the one null value: null == json.null.
func (g *Registry) Null() lua.LValue { return g.null }

// IsNull tells whether v is null.
func (g *Registry) IsNull(v lua.LValue) bool { return v == lua.LValue(g.null) }

// Records gives the declared record types by name.
func (g *Registry) Records() map[string]*Schema { return g.schemas }
