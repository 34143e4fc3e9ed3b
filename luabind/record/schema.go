package record

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"faust/luabind/api"
	"faust/luabind/fault"

	"github.com/cockroachdb/apd/v3"
	lua "github.com/yuin/gopher-lua"
)

// Schema is a declared record type. Its Lua value (Value) is callable: Withdrawal{ user='u' } makes a checked record.
type Schema struct {
	Name   string
	Fields []Field

	reg    *Registry
	fields []field
	index  map[string]int
	value  *lua.LUserData
}

// Field describes one field for the looking commands.
type Field struct {
	Name, Type, Default, Help string
	Required                  bool
}

// field is a field as the codec needs it.
type field struct {
	name     string
	token    []byte // "name": as compact JSON has it
	typ      *typ
	def      lua.LValue // nil: none
	required bool
	quick    quick
	stat     internStat
}

// optionNames are what a field's table may say.
var optionNames = api.Names(api.Get("app.record").Options)

// Declare makes a record type of the table given to app.record: field name -> 'type' or { type=, default=, min=, max=, choices=, help=, format= }.
// Errors are *fault.Error without place (the caller knows it) that name record and field, with a suggestion for unknown types and keys.
func (g *Registry) Declare(name string, fields *lua.LTable) (*Schema, error) {
	if err := g.checkName(name); err != nil {
		return nil, err
	}
	s := &Schema{Name: name, reg: g, index: map[string]int{}}
	s.value = newUserData(s, g.typeMT)
	for k, v := fields.Next(lua.LNil); k != lua.LNil; k, v = fields.Next(k) {
		if err := s.declare(k, v); err != nil {
			return nil, err
		}
	}
	g.schemas[name] = s
	return s, nil
}

func (g *Registry) checkName(name string) error {
	if name == "" || strings.ContainsAny(name, "[]{}:?'\" \t\n") {
		return usage("", "'%s' cannot be the name of a record", name)
	}
	if _, ok := g.schemas[name]; ok {
		return usage("", "record '%s' is declared twice", name)
	}
	for _, n := range typeNames {
		if n.name == name {
			return usage("", "a record cannot be called '%s': that is a type", name)
		}
	}
	if _, ok := g.codecs[name]; ok {
		return usage("", "a record cannot be called '%s': that is a codec", name)
	}
	return nil
}

func (g *Registry) recordNames() []string { return slices.Sorted(maps.Keys(g.schemas)) }

// declare adds one field.
func (s *Schema) declare(key, v lua.LValue) error {
	name, ok := key.(lua.LString)
	if !ok || name == "" {
		return usage("fields are given by name:  user = 'string'", "record %s: a field without a name (%s)", s.Name, fault.Describe(v))
	}
	where := "field '" + string(name) + "' of " + s.Name
	f := field{name: string(name), token: append(appendString(nil, string(name)), ':')}
	shown := Field{Name: string(name)}
	var err error
	options, isTable := v.(*lua.LTable)
	if isTable {
		f.typ, err = s.optionType(options, where)
	} else {
		f.typ, err = s.parse(v, where)
	}
	if err != nil {
		return err
	}
	if f.typ.kind == kRecord && f.typ.rec == s && !f.typ.optional {
		return usage("declare it as '"+s.Name+"?' or '["+s.Name+"]'", "%s would contain itself without end", where)
	}
	if isTable {
		if err := s.options(&f, &shown, options, where); err != nil {
			return err
		}
	}
	f.quick = f.typ.quick()
	f.required = !f.typ.optional && f.def == nil
	shown.Type, shown.Required = f.typ.String(), f.required
	s.index[f.name] = len(s.fields)
	s.fields, s.Fields = append(s.fields, f), append(s.Fields, shown)
	return nil
}

// parse makes a type of what stands for one: a text or a record type.
func (s *Schema) parse(v lua.LValue, where string) (*typ, error) {
	if text, ok := v.(lua.LString); ok {
		return s.reg.parseType(string(text), where, s)
	}
	if rec, ok := SchemaOf(v); ok {
		return &typ{kind: kRecord, rec: rec}, nil
	}
	return nil, usage("write a type, or a table such as { type = 'float', default = 0 }", "%s is %s, expected a type", where, fault.Describe(v))
}

func (s *Schema) optionType(options *lua.LTable, where string) (*typ, error) {
	for k, _ := options.Next(lua.LNil); k != lua.LNil; k, _ = options.Next(k) {
		if name, ok := k.(lua.LString); !ok || !slices.Contains(optionNames, string(name)) {
			return nil, usage(fault.DidYouMean(lua.LVAsString(k), optionNames), "unknown option %s for %s", fault.Quote(k), where)
		}
	}
	v := options.RawGetString("type")
	if v == lua.LNil {
		return nil, usage("write  type = 'float'", "%s has no type", where)
	}
	return s.parse(v, where)
}

// options reads what a field's table says beside its type. Limits and choices come before the default, which must keep them.
func (s *Schema) options(f *field, shown *Field, options *lua.LTable, where string) error {
	if err := setFormat(f.typ, options.RawGetString("format"), where); err != nil {
		return err
	}
	if err := setLimits(f.typ, options.RawGetString("min"), options.RawGetString("max"), where); err != nil {
		return err
	}
	if err := s.setChoices(f.typ, options.RawGetString("choices"), where); err != nil {
		return err
	}
	if v := options.RawGetString("help"); v != lua.LNil {
		text, ok := v.(lua.LString)
		if !ok {
			return usage("", "help of %s is %s, expected a string", where, fault.Describe(v))
		}
		shown.Help = string(text)
	}
	v := options.RawGetString("default")
	if v == lua.LNil {
		return nil
	}
	def, p := s.reg.coerce(f.typ, v, 0)
	if p != nil {
		return usage(p.tip, "default of %s %s", where, p.text())
	}
	f.def, shown.Default = def, s.reg.Inspect(def)
	return nil
}

func setFormat(t *typ, v lua.LValue, where string) error {
	if v == lua.LNil {
		return nil
	}
	if t.kind != kDatetime {
		return usage("", "format of %s: only a datetime has one", where)
	}
	for i, name := range formatNames {
		if v == lua.LString(name) {
			t.format = timeFormat(i)
			return nil
		}
	}
	return usage(fault.DidYouMean(lua.LVAsString(v), formatNames[:]), "unknown format %s of %s", fault.Quote(v), where)
}

func setLimits(t *typ, lo, hi lua.LValue, where string) error {
	if lo == lua.LNil && hi == lua.LNil {
		return nil
	}
	if t.kind != kInt && t.kind != kFloat && t.kind != kDecimal && t.kind != kInt64 {
		return usage("", "min and max of %s: only numbers have them", where)
	}
	t.limits = &limits{}
	var err error
	if t.limits.min, t.limits.minDec, err = limit(lo, "min", where); err != nil {
		return err
	}
	t.limits.max, t.limits.maxDec, err = limit(hi, "max", where)
	return err
}

func limit(v lua.LValue, name, where string) (*float64, *apd.Decimal, error) {
	if v == lua.LNil {
		return nil, nil, nil
	}
	n, ok := v.(lua.LNumber)
	d, _, err := apd.NewFromString(strconv.FormatFloat(float64(n), 'g', -1, 64))
	if !ok || err != nil || d.Form != apd.Finite {
		return nil, nil, usage("", "%s of %s is %s, expected a number", name, where, fault.Describe(v))
	}
	f := float64(n)
	return &f, d, nil
}

func (s *Schema) setChoices(t *typ, v lua.LValue, where string) error {
	if v == lua.LNil {
		return nil
	}
	list, ok := v.(*lua.LTable)
	if !ok || list.Len() == 0 || (t.kind != kString && t.kind != kInt && t.kind != kFloat) {
		return usage("", "choices of %s: a list of values for a string, int or float", where)
	}
	var choices []lua.LValue
	for i := 1; i <= list.Len(); i++ {
		choice, p := s.reg.coerce(t, list.RawGetInt(i), 0)
		if p != nil {
			return usage(p.tip, "choices of %s: %s", where, p.item(i).text())
		}
		choices = append(choices, choice)
	}
	t.choices = choices
	return nil
}

// Declaration writes the fields as they were declared: user string, amount float, date datetime?
func (s *Schema) Declaration() string {
	parts := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		parts[i] = f.Name + " " + f.Type
	}
	return strings.Join(parts, ", ")
}

// Index gives the number of a field, for Object.Field and AppendFields; -1: there is none of that name.
func (s *Schema) Index(name string) int {
	if len(s.fields) <= 8 {
		for i := range s.fields {
			if s.fields[i].name == name {
				return i
			}
		}
		return -1
	}
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Names gives the names of the fields, in order.
func (s *Schema) Names() []string {
	names := make([]string, len(s.fields))
	for i := range s.fields {
		names[i] = s.fields[i].name
	}
	return names
}

// Value is the Lua value of the type: callable, with a readable tostring.
func (s *Schema) Value() lua.LValue { return s.value }

func (s *Schema) String() string { return "record " + s.Name }

// SchemaOf gives the record type that v is the Lua value of.
func SchemaOf(v lua.LValue) (*Schema, bool) {
	if ud, ok := v.(*lua.LUserData); ok {
		s, ok := ud.Value.(*Schema)
		return s, ok
	}
	return nil, false
}

// newTypeMeta makes the metatable of record types.
func (g *Registry) newTypeMeta(L *lua.LState) *lua.LTable {
	return g.metatable(L, "record type", map[string]func(*lua.LState) (lua.LValue, error){
		"__call": func(L *lua.LState) (lua.LValue, error) {
			s, _ := SchemaOf(L.Get(1))
			return s.Make(L.Get(2))
		},
		"__tostring": func(L *lua.LState) (lua.LValue, error) {
			s, _ := SchemaOf(L.Get(1))
			return lua.LString(s.String()), nil
		},
		"__index": func(L *lua.LState) (lua.LValue, error) {
			s, _ := SchemaOf(L.Get(1))
			if L.Get(2) == lua.LString("name") {
				return lua.LString(s.Name), nil
			}
			return nil, s.unknownMember(L.Get(2))
		},
	})
}

func (s *Schema) unknownMember(key lua.LValue) error {
	return invalid(s.Name+" is a record type, not a record:  "+s.Name+"{ ... }  makes one", "%s has no %s", s.String(), fault.Quote(key))
}
