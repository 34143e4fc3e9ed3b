package module

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
)

// sizeOf gives a number of bytes, otherwise if it is not there.
func sizeOf(o options, name string, otherwise int64) int64 {
	v := o.Value(name)
	if v == lua.LNil {
		return otherwise
	}
	n, err := record.Size(v)
	if err != nil {
		o.Wrong(name, v, "a size, as '64MiB'")
	}
	return n
}

// hidden gives a string or the text of a secret, and whether it was one; "" if it is not there.
func hidden(o options, name string) (text string, secret bool) {
	v := o.Value(name)
	if text, ok := Reveal(v); ok {
		return text, true
	}
	if v != lua.LNil && v.Type() != lua.LTString {
		o.Wrong(name, v, "a string")
	}
	return lua.LVAsString(v), false
}

// pair is a name with its values.
type pair struct {
	name   string
	values []string
	secret bool // one of the values was a secret
}

// pairs are names and values, sorted by name.
type pairs []pair

// values gives them as a URL or a form has them.
func (p pairs) values() url.Values {
	v := url.Values{}
	for _, one := range p {
		v[one.name] = one.values
	}
	return v
}

// secret tells whether a secret is among the values.
func (p pairs) secret() bool {
	return slices.ContainsFunc(p, func(one pair) bool { return one.secret })
}

// pairsOf gives a table of names and values: strings, numbers, booleans, secrets, what has a text such as a datetime, or lists of them; nil if it
// is not there.
func pairsOf(o options, name string) pairs {
	v := o.Value(name)
	if v == lua.LNil {
		return nil
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		o.Wrong(name, v, "a table, as { name = 'value' }")
	}
	var list pairs
	t.ForEach(func(k, v lua.LValue) {
		key, ok := k.(lua.LString)
		if !ok {
			o.Fail(name, "option '%s' of %s has %s where a name is expected", name, o.Args().Name, fault.Describe(k))
		}
		one := pair{name: string(key)}
		if items, ok := v.(*lua.LTable); ok {
			for i := 1; i <= items.Len(); i++ {
				addValue(o, name, &one, items.RawGetInt(i))
			}
		} else {
			addValue(o, name, &one, v)
		}
		list = append(list, one)
	})
	slices.SortFunc(list, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return list
}

// addValue adds a value to a pair of the option name.
func addValue(o options, name string, to *pair, v lua.LValue) {
	text := ""
	switch v := v.(type) {
	case lua.LString, lua.LBool:
		text = v.String()
	case lua.LNumber:
		text = fault.Number(float64(v))
	default:
		var ok bool
		if text, ok = Reveal(v); ok {
			to.secret = true
		} else if text, ok = textOf(v); !ok {
			o.Args().Raise(&fault.Error{Code: fault.Usage, Place: fault.OptionPlace(o.Args().L, to.name),
				Message: fmt.Sprintf("'%s' in option '%s' of %s is %s, expected a string or a number", fault.Cut(to.name, 60), name, o.Args().Name, fault.Describe(v))})
		}
	}
	to.values = append(to.values, text)
}

// textOf gives the text of a value that has one, such as a datetime or a decimal.
func textOf(v lua.LValue) (string, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok || record.IsNull(v) {
		return "", false
	}
	text, ok := ud.Value.(fmt.Stringer)
	if !ok {
		return "", false
	}
	return text.String(), true
}
