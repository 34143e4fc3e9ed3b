package module

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/vm"
)

// Secret is what a Lua secret holds: a text that is shown as *** wherever a script or the runtime writes it, and that only what sends it reads.
type Secret struct{ text, shown string }

// String gives what is shown of it.
func (s *Secret) String() string { return s.shown }

// GoString gives what is shown of it.
func (s *Secret) GoString() string { return s.shown }

// Describe names it in messages.
func (s *Secret) Describe() string { return "a secret" }

// LogValue gives what a log shows of it.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(s.shown) }

// Reveal gives the text, for what sends it.
func (s *Secret) Reveal() string { return s.text }

// secretOf gives the secret that v is.
func secretOf(v lua.LValue) (*Secret, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return nil, false
	}
	s, ok := ud.Value.(*Secret)
	return s, ok
}

// Reveal gives the text of a secret, for what sends it; false: v is none.
func Reveal(v lua.LValue) (string, bool) {
	s, ok := secretOf(v)
	if !ok {
		return "", false
	}
	return s.text, true
}

// NewSecret makes a secret of a text, which logs and errors hide from now on.
func (s *Set) NewSecret(L *lua.LState, text string) lua.LValue {
	s.cfg.Hidden.Add(text)
	return s.secret(L, &Secret{text, fault.Mask})
}

func (s *Set) secret(L *lua.LState, v *Secret) lua.LValue {
	if s.secrets == nil {
		s.secrets = s.secretKind(L)
	}
	return &lua.LUserData{Value: v, Metatable: s.secrets}
}

// secretKind makes the metatable of secrets.
func (s *Set) secretKind(L *lua.LState) *lua.LTable {
	mt := L.CreateTable(0, 8)
	L.SetFuncs(mt, map[string]lua.LGFunction{
		"__tostring": func(L *lua.LState) int { L.Push(lua.LString(L.CheckUserData(1).Value.(*Secret).shown)); return 1 },
		"__concat":   s.joinSecret,
		"__eq": func(L *lua.LState) int {
			a, _ := secretOf(L.Get(1))
			b, ok := secretOf(L.Get(2))
			L.Push(lua.LBool(ok && subtle.ConstantTimeCompare([]byte(a.text), []byte(b.text)) == 1))
			return 1
		},
		"__index":    func(L *lua.LState) int { closed(L, "a secret has no fields and no methods"); return 0 },
		"__newindex": func(L *lua.LState) int { closed(L, "a secret cannot be changed"); return 0 },
		"__len":      func(L *lua.LState) int { closed(L, "the length of a secret is not told"); return 0 },
	})
	mt.RawSetString("__metatable", lua.LString("secret"))
	mt.RawSetString("__name", lua.LString("secret"))
	return mt
}

func closed(L *lua.LState, message string) {
	vm.Raise(L, &fault.Error{Code: fault.Usage, Message: message, Hints: []string{
		"only what sends a secret reads it: the url, headers, query, json, form and body of http.*, crypto.hmac; '..' makes a secret of a secret and a text"}})
}

// joinSecret is .. of a secret and a text or number: a secret again.
func (s *Set) joinSecret(L *lua.LState) int {
	joined := &Secret{}
	for i := 1; i <= 2; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString, lua.LNumber:
			joined.text += v.String()
			joined.shown += v.String()
		default:
			part, ok := secretOf(v)
			if !ok {
				vm.Raise(L, &fault.Error{Code: fault.Usage, Message: "cannot join a secret and " + fault.Describe(v) + " with .."})
			}
			joined.text += part.text
			joined.shown += part.shown
		}
	}
	L.Push(s.secret(L, joined))
	return 1
}

// envSecret is env.secret(name) -> secret: from the environment, the folder FAUST_SECRETS_DIR or the file of --secrets.
func (s *Set) envSecret(a *args) []lua.LValue {
	name, value, ok := s.variable(a)
	a.Done()
	if !ok {
		var err error
		value, err = s.mounted(name)
		must(a, value, err)
	}
	if value = cmp.Or(value, s.cfg.Secrets[name]); value == "" {
		a.Raise(s.noSecret(name))
	}
	return []lua.LValue{s.NewSecret(a.L, value)}
}

// mounted reads a secret from the folder FAUST_SECRETS_DIR, where each has a file of its name; a line break at its end is none of it. "": it is not
// there.
func (s *Set) mounted(name string) (string, error) {
	dir, ok := s.cfg.Env("FAUST_SECRETS_DIR")
	if !ok || dir == "" || filepath.Base(name) != name || !filepath.IsLocal(name) {
		return "", nil
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return "", &fault.Error{Code: fault.Usage, Message: "the secret " + name + " cannot be read from " + dir + ": " + err.Error(), Cause: err}
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// noSecret is the error of a secret that is nowhere.
func (s *Set) noSecret(name string) *fault.Error {
	e := &fault.Error{Code: fault.Usage, Message: "the secret " + name + " is not set",
		Hints: []string{"set it:  " + name + "=... faust run ...  or in the file of --secrets, or as the file " + name + " in the folder FAUST_SECRETS_DIR"}}
	if best := fault.Suggest(name, slices.Sorted(maps.Keys(s.cfg.Secrets))); best != "" {
		e.Hints = append([]string{"did you mean '" + best + "', which --secrets has?"}, e.Hints...)
	}
	return e
}

// secretOrText takes a string or a secret; hidden tells which.
func secretOrText(a *args, what string) (text string, hidden bool) {
	v := a.Value(what)
	if s, ok := secretOf(v); ok {
		return s.text, true
	}
	s, ok := v.(lua.LString)
	if !ok {
		a.Wrong(what, v, "a string")
	}
	return string(s), false
}

// textual gives what was made of a text: a secret if the text was one and anything is left to hide.
func (s *Set) textual(L *lua.LState, text string, hidden bool) []lua.LValue {
	if hidden && text != "" {
		return []lua.LValue{s.NewSecret(L, text)}
	}
	return []lua.LValue{lua.LString(text)}
}
