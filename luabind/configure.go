package luabind

import (
	"errors"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/arg"
	"faust/luabind/fault"
	"faust/luabind/module"
	"faust/luabind/vm"
	"faust/runtime/app"
)

// configured is what app.configure was given.
type configured struct {
	path    string
	texts   map[string]string
	origins map[string]app.Origin
	places  map[string]fault.Place
}

// layer gives it as a layer of settings.
func (c *configured) layer() app.Layer {
	return app.Layer{Origin: func(name string) app.Origin { return c.origins[name] }, Values: c.texts}
}

// configure is app.configure{ id = 'simple', ... }: settings, below flags and environment.
func (b *binding) configure(L *lua.LState) int {
	a := b.call(L, "app.configure")
	b.declare(a)
	o := a.Names(a.Table("the table of settings", "a table"))
	a.Done()
	for k, v := o.Table().Next(lua.LNil); k != lua.LNil; k, v = o.Table().Next(k) {
		name, ok := k.(lua.LString)
		if !ok {
			a.Fail("app.configure: settings have names, here is %s without one", fault.Describe(v))
		}
		b.set(o, string(name), v)
	}
	if err := b.resolve(); err != nil {
		a.Raise(err)
	}
	if !b.app.Settings.Strict {
		b.vm.Relax()
	}
	return 0
}

// set takes one setting of app.configure.
func (b *binding) set(o arg.Options, name string, v lua.LValue) {
	c := &b.settings
	if first, ok := c.places[name]; ok {
		o.Fail(name, "setting '%s' is set twice: first at %s", name, first)
	}
	setting, _ := app.Lookup(name)
	text, ok := settingText(setting.Kind, v)
	if secret, hidden := module.Reveal(v); hidden {
		if text, ok = secret, setting.Kind == "text"; !setting.Hides() {
			o.Fail(name, "setting '%s' is shown in banner and logs, so it cannot be a secret", name)
		}
	}
	if !ok {
		o.Wrong(name, v, "a "+setting.Kind)
	}
	place := o.Args().Place()
	origin := app.Origin("app.configure (" + place.String() + ")")
	_, err := app.Resolve(app.LayerOf(origin, map[string]string{name: text}))
	var bad *app.SettingError
	if errors.As(err, &bad) {
		o.Fail(name, "setting '%s' cannot be %s: %s", name, quoted(bad.Value), bad.Reason)
	}
	if c.texts == nil {
		c.texts, c.origins, c.places = map[string]string{}, map[string]app.Origin{}, map[string]fault.Place{}
	}
	c.texts[name], c.origins[name], c.places[name] = text, origin, place
}

func quoted(text string) string { return "'" + text + "'" }

// settingText writes a value as a flag would have it.
func settingText(kind string, v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), kind != "bool" && kind != "text"
	case lua.LBool:
		return strconv.FormatBool(bool(v)), kind == "bool"
	}
	return "", false
}

// resolve puts the settings in force. Every layer was checked before, so an error is one of values that do not go together.
func (b *binding) resolve() error {
	layers := append(app.Layers{}, b.cfg.Layers...)
	layers = append(layers, b.settings.layer(), app.FileLayer(b.settings.path))
	s, err := app.Resolve(layers...)
	if err == nil {
		b.app.Settings = s
	}
	return err
}

// confTable makes app.conf: the value of every setting in force, read only. Durations are seconds, sizes bytes.
func (b *binding) confTable(L *lua.LState) *lua.LTable {
	mt := L.CreateTable(0, 3)
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name := lua.LVAsString(L.Get(2))
		setting, ok := app.Lookup(name)
		if !ok {
			e := usage("unknown setting %s", fault.Quote(L.Get(2)))
			e.Hints = []string{fault.DidYouMean(name, app.SettingNames())}
			vm.Raise(L, e)
		}
		v, _ := b.app.Settings.Value(name)
		L.Push(settingValue(setting.Kind, v.Text))
		return 1
	}))
	protect(L, mt, "app.conf")
	t := L.CreateTable(0, 0)
	t.Metatable = mt
	return t
}

// settingValue makes a Lua value of a setting's text; nil if it is not set.
func settingValue(kind, text string) lua.LValue {
	switch kind {
	case "int":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return lua.LNumber(n)
		}
	case "bool":
		if x, err := app.ParseBool(text); err == nil {
			return lua.LBool(x)
		}
	case "duration":
		if d, err := app.ParseDuration(text); err == nil {
			return lua.LNumber(d.Seconds())
		}
	case "size":
		if n, err := app.ParseSize(text); err == nil {
			return lua.LNumber(n)
		}
	}
	if text == "" {
		return lua.LNil
	}
	return lua.LString(text)
}
