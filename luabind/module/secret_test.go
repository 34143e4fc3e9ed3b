package module

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// secretStage is a stage with secrets from each place, and what hides them.
func secretStage(t *testing.T) (*stage, *fault.Secrets) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"MOUNTED": "from-the-folder\n", "BOTH": "folder-not-this", "EMPTY": "\n", "LINES": "line one of it\nline two of it\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "FOLDER"), 0o700); err != nil {
		t.Fatal(err)
	}
	hidden := &fault.Secrets{}
	return newStage(t, Config{
		Env:     environment(map[string]string{"FAUST_SECRETS_DIR": dir, "API_KEY": "from-the-environment", "BOTH": "environment-first", "NIX": ""}),
		Secrets: map[string]string{"FILED": "from-the-file", "MOUNTED": "file-not-this", "API_KEY": "nor-this"},
		Hidden:  hidden,
	}), hidden
}

func TestSecretPlaces(t *testing.T) {
	t.Parallel()
	s, hidden := secretStage(t)
	for name, want := range map[string]string{"API_KEY": "from-the-environment", "BOTH": "environment-first", "MOUNTED": "from-the-folder",
		"FILED": "from-the-file", "LINES": "line one of it\nline two of it"} {
		s.want(fmt.Sprintf("return crypto.equal(env.secret '%s', '%s')", name, strings.ReplaceAll(want, "\n", `\n`)), "true")
		if got := hidden.Redact("it is " + want + "."); got != "it is ***." {
			t.Errorf("%s is not hidden: %q", name, got)
		}
	}
	for name, want := range map[string][2]string{
		"NIX":      {"the secret NIX is not set", "set it:  NIX=... faust run ..."},
		"EMPTY":    {"the secret EMPTY is not set", ""},
		"FILE":     {"the secret FILE is not set", "did you mean 'FILED', which --secrets has?"},
		"FOLDER":   {"the secret FOLDER cannot be read from", ""},
		"../x/API": {"the secret ../x/API is not set", ""},
		"..":       {"the secret .. is not set", ""},
		"":         {"env.secret: the name of the variable is", ""},
		"a=b":      {"env.secret: the name of the variable is", ""},
		"x', 'y":   {"env.secret: argument 2 is too many", ""},
	} {
		_, err := s.run(t.Context(), "return env.secret('"+name+"')")
		var e *fault.Error
		if !errors.As(err, &e) || e.Code != fault.Usage || !strings.Contains(e.Message, want[0]) || !strings.Contains(strings.Join(e.Hints, "\n"), want[1]) || e.Place.Line != 1 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Whatever a script does with a secret, its text does not come out.
func TestSecretIsNotShown(t *testing.T) {
	t.Parallel()
	s, _ := secretStage(t)
	for src, want := range map[string]string{
		`return key`:                                "***",
		`return tostring(key), type(key)`:           "*** userdata",
		`return ('%s %10s'):format(key, key)`:       "***        ***",
		`return 'Bearer ' .. key .. '!' .. 1`:       "Bearer ***!1",
		`return key .. key`:                         "******",
		`return inspect(key), inspect { k = key }`:  `*** { k=*** }`,
		`return pcall(error, key)`:                  "false ***",
		`say(key) pp(key) print(key) return 'said'`: "said",
		`log.error('text', { k = key, l = { key }, m = 'Bearer ' .. key }) return 'logged'`:                                                                         "logged",
		`return key == env.secret 'API_KEY', key == env.secret 'BOTH', key == 'from-the-environment'`:                                                               "true false false",
		`return base64.encode('u:' .. key), url.encode(key), base64.decode(base64.encode(key)) == key`:                                                              "*** *** true",
		`return url.build { scheme = 'https', host = 'h', query = { key = key } }, url.build { user = 'u', password = key, host = 'h' }`:                            "*** ***",
		`return crypto.hmac('sha256', key, 'x') == crypto.hmac('sha256', 'from-the-environment', 'x'), crypto.sha256(key) == crypto.sha256('from-the-environment')`: "true true",
		`return base64.decode(env.secret 'FILED')`: "",
	} {
		got, err := s.run(t.Context(), "local key = env.secret 'API_KEY'\n"+src)
		if want == "" {
			var e *fault.Error
			if !errors.As(err, &e) || e.Message != "base64.decode: the secret is not base64" {
				t.Errorf("%s: %v", src, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", src, got, err, want)
		}
	}
	for name, text := range map[string]string{"stdout": s.stdout.String(), "log": s.log.String()} {
		if strings.Contains(text, "environment") || !strings.Contains(text, "***") {
			t.Errorf("%s has %q", name, text)
		}
	}
}

func TestSecretRefuses(t *testing.T) {
	t.Parallel()
	s, _ := secretStage(t)
	for src, want := range map[string]string{
		`return #key`:                         "the length of a secret is not told",
		`return key:upper()`:                  "a secret has no fields and no methods",
		`return key.text`:                     "a secret has no fields and no methods",
		`key.x = 1`:                           "a secret cannot be changed",
		`return key .. {}`:                    "cannot join a secret and a table with ..",
		`return nil .. key`:                   "cannot join a secret and nil with ..",
		`return json.encode { k = key }`:      "not JSON: 'value.k' is a secret, whose text only what sends it may have",
		`return string.upper(key)`:            "string expected, got secret",
		`return regex.match(key, '.')`:        "regex.match: the text is a secret, expected a string",
		`return table.concat { key }`:         "invalid value",
		`return tonumber(key) + 1`:            "tonumber",
		`return url.parse(key)`:               "url.parse: the text is a secret, expected a string",
		`setmetatable(key, {})`:               "table expected",
		`return key < key`:                    "compare",
		`return getmetatable(key).__tostring`: "",
	} {
		got, err := s.run(t.Context(), "local key = env.secret 'API_KEY'\n"+src)
		if want == "" {
			if strings.Contains(got, "environment") {
				t.Errorf("%s gives %q", src, got)
			}
			continue
		}
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) || strings.Contains(fmt.Sprintf("%v %v %v", e, e.Hints, e.Notes), "environment") {
			t.Errorf("%s\n got %q %v\nwant %s", src, got, err, want)
		}
	}
}

// A secret that is printed from Go is not shown either.
func TestSecretInGo(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	L := lua.NewState()
	defer L.Close()
	v := s.NewSecret(L, "the text of it")
	inner := v.(*lua.LUserData).Value
	if got := fmt.Sprintf("%v %+v %#v %s %q", inner, inner, inner, inner, inner); strings.Contains(got, "text of it") {
		t.Errorf("got %s", got)
	}
	if text, ok := Reveal(v); !ok || text != "the text of it" {
		t.Errorf("got %q %v", text, ok)
	}
	if _, ok := Reveal(lua.LString("x")); ok {
		t.Error("a string is no secret")
	}
}

func TestPromptedSecret(t *testing.T) {
	t.Parallel()
	hidden := &fault.Secrets{}
	s := newStage(t, Config{Interactive: func() bool { return true }, Stdin: strings.NewReader("hunter22\nhunter22\n\n\n"), Hidden: hidden})
	s.want(`local a, b = prompt('password?', { secret = true }), prompt('again?', { secret = true }) return a, a == b, crypto.equal(a, 'hunter22')`, "*** true true")
	s.want(`return prompt('password?', { secret = true }) == '', prompt('password?', { secret = true, default = 'fallback' })`, "true ***")
	if got := hidden.Redact("hunter22 fallback"); got != "*** ***" {
		t.Errorf("got %q", got)
	}
}
