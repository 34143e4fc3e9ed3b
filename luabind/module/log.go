package module

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (s *Set) logModule(L *lua.LState) lua.LValue {
	return table(L, "log", map[string]function{"debug": s.logAt(slog.LevelDebug), "info": s.logAt(slog.LevelInfo),
		"warn": s.logAt(slog.LevelWarn), "error": s.logAt(slog.LevelError)})
}

// logAt is log.info(text, { name = value }) and its kin.
func (s *Set) logAt(level slog.Level) function {
	return func(a *args) []lua.LValue {
		text := a.L.ToStringMeta(a.value("the text")).String()
		var fields *lua.LTable
		if !a.absent() {
			fields = a.table("the table of fields", "a table, as { name = value }")
		}
		a.done()
		ctx := context.Background()
		if s.cfg.VM != nil {
			ctx = s.cfg.VM.Context()
		}
		if s.cfg.Logger.Enabled(ctx, level) {
			s.cfg.Logger.LogAttrs(ctx, level, text, s.attributes(fields)...)
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
		attrs = append(attrs, slog.Any(k.String(), s.plain(v)))
	})
	slices.SortFunc(attrs, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	return attrs
}

// plain gives a value as a log can write it.
func (s *Set) plain(v lua.LValue) any {
	switch x := v.(type) {
	case lua.LString:
		return string(x)
	case lua.LBool:
		return bool(x)
	case lua.LNumber:
		if n := int64(x); lua.LNumber(n) == x && n < maxWhole && n > -maxWhole {
			return n
		}
		return float64(x)
	case *lua.LUserData:
		if lv, ok := x.Value.(slog.LogValuer); ok {
			return lv
		}
	}
	return s.cfg.Registry.Inspect(v)
}
