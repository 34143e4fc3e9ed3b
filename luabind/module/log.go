package module

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
)

func (s *Set) logModule(L *lua.LState) lua.LValue {
	return table(L, "log", map[string]function{"debug": s.logAt(slog.LevelDebug), "info": s.logAt(slog.LevelInfo),
		"warn": s.logAt(slog.LevelWarn), "error": s.logAt(slog.LevelError)})
}

// logAt is log.info(text, { name = value }) and its kin.
func (s *Set) logAt(level slog.Level) function {
	return func(a *args) []lua.LValue {
		text := a.L.ToStringMeta(a.Value("the text")).String()
		var fields *lua.LTable
		if !a.Absent() {
			fields = a.Table("the table of fields", "a table, as { name = value }")
		}
		a.Done()
		ctx := context.Background()
		if s.cfg.VM != nil {
			ctx = s.cfg.VM.Context()
		}
		if s.cfg.Logger.Enabled(ctx, level) {
			s.cfg.Logger.LogAttrs(ctx, level, text, append(s.where(fields), s.attributes(fields)...)...)
		}
		return nil
	}
}

// attributes gives the fields of a log line, sorted by name.
func (s *Set) attributes(t *lua.LTable) []slog.Attr {
	if t == nil {
		return nil
	}
	var attrs []slog.Attr
	t.ForEach(func(k, v lua.LValue) {
		name, ok := k.(lua.LString)
		if !ok {
			name = lua.LString(s.cfg.Registry.InspectLine(k))
		}
		attrs = append(attrs, slog.Any(string(name), s.plain(v)))
	})
	slices.SortFunc(attrs, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	return attrs
}

// where gives what the running task works on, but for what the fields of the line say themselves.
func (s *Set) where(fields *lua.LTable) []slog.Attr {
	if s.cfg.Where == nil {
		return nil
	}
	return slices.DeleteFunc(s.cfg.Where(), func(a slog.Attr) bool { return fields != nil && fields.RawGetString(a.Key) != lua.LNil })
}

// plain gives a value as a log can write it.
func (s *Set) plain(v lua.LValue) any {
	switch x := v.(type) {
	case lua.LString:
		return string(x)
	case lua.LBool:
		return bool(x)
	case lua.LNumber:
		if n := int64(x); lua.LNumber(n) == x && n < arg.MaxWhole && n > -arg.MaxWhole {
			return n
		}
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) { // which JSON cannot hold
			return fault.Number(f)
		}
		return float64(x)
	case *lua.LUserData:
		if lv, ok := x.Value.(slog.LogValuer); ok {
			return lv
		}
	}
	return s.cfg.Registry.Inspect(v)
}
