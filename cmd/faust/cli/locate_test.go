package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hello.lua": "x", "shop/app.lua": "x", "shop/orders/main.lua": "x", "lib/init.lua": "x", "both/app.lua": "x", "both.lua": "x",
		"empty/readme.txt": "x", "others/one.lua": "x", "prog": "\x7fELF\x00", "code.luac": "\x1bLuaQ", "secret.lua": "x",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name  string
		loose bool
		want  string // a path, or the error
		hint  string
	}{
		{"hello.lua", false, "hello.lua", ""},
		{"shop", false, "shop/app.lua", ""},
		{"shop/orders", false, "shop/orders/main.lua", ""},
		{"lib", true, "lib/init.lua", ""},
		{"hello", true, "hello.lua", ""},
		{"both", true, "both.lua", ""},
		{"both", false, "both/app.lua", ""},
		{"hello", false, "no such file", "hello.lua'"},
		{"helo.lua", false, "no such file", "hello.lua'"},
		{"helo", true, "no app", "hello'"},
		{"shopp", false, "no such file", "shop'"},
		{"empty", false, "is a folder without", ""},
		{"others", false, "is a folder without", "it has one.lua"},
		{"prog", false, "is not a Lua file: it is binary", ""},
		{"code.luac", false, "is compiled Lua", ""},
		{"hello.lua/x", false, "no such file", ""},
		{"zzzzzzzzzz", false, "no such file", ""},
	} {
		got, err := locate(in(c.name), c.loose)
		if err == nil {
			if got != in(c.want) {
				t.Errorf("%s: %s", c.name, got)
			}
			continue
		}
		var load *loadError
		if !errors.As(err, &load) || !strings.Contains(load.message, c.want) || !strings.HasSuffix(load.hint, c.hint) && !strings.Contains(load.hint, c.hint) {
			t.Errorf("%s: %v, %+v", c.name, err, load)
		}
		if c.hint == "" && load != nil && load.hint != "" {
			t.Errorf("%s: unexpected hint %s", c.name, load.hint)
		}
	}
}

func TestLocateDotsStandForSlashes(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("shop/orders", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop/orders/app.lua", "shop/plain.lua"} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"shop.orders": "shop/orders/app.lua", "shop.plain": "shop/plain.lua"} {
		if got, err := locate(name, true); err != nil || got != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := locate("shop.plain", false); err == nil {
		t.Error("run takes a path")
	}
}
