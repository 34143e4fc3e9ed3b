package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	var none *Secrets
	none.Add("secret")
	if got := none.Redact("a secret"); got != "a secret" {
		t.Errorf("nil hides: %q", got)
	}
	s := &Secrets{}
	if got := s.Redact("nothing to hide"); got != "nothing to hide" {
		t.Errorf("got %q", got)
	}
	s.Add("key-1")
	s.Add("key-12345") // begins with the other
	s.Add(`p"w\d <&> ü`)
	s.Add("abc") // too short to be told from other text
	s.Add("")
	s.Add("-----BEGIN KEY-----\n  MIIEpAIBAAKCAQEA\r\n}\n-----END KEY-----\n")
	for in, want := range map[string]string{
		"key-1":                                       "***",
		"key-12345 key-1234 key":                      "*** ***234 key",
		`value p"w\d <&> ü`:                           "value ***",
		`msg="p\"w\\d <&> ü"`:                         `msg="***"`,
		`{"v":"p\"w\\d \u003c\u0026\u003e ü"}`:        `{"v":"***"}`,
		"https://h/?k=p%22w%5Cd+%3C%26%3E+%C3%BC&x=1": "https://h/?k=***&x=1",
		"https://h/p%22w%5Cd%20%3C&%3E%20%C3%BC/y":    "https://h/***/y",
		"abc":                     "abc",
		"  MIIEpAIBAAKCAQEA\n  }": "  ***\n  }",
	} {
		if got := s.Redact(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

// Whatever a secret has in it, no log format shows it.
func TestSecretsInLogs(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"hunter22", "a b\tc", `q"u\ote'`, "<tag>&amp;", "zeile\nzwei\nlange zeile drei", "\x01\x02\x1b[31m", "grüße €", "\xff\xfe\xfd bytes"} {
		s := &Secrets{}
		s.Add(secret)
		var b bytes.Buffer
		w := s.Writer(&b)
		for _, h := range []slog.Handler{slog.NewJSONHandler(w, nil), slog.NewTextHandler(w, nil)} {
			slog.New(h).Info("in "+secret+" between", "field", secret, "error", errors.New("about "+secret))
		}
		Render(w, &Error{Message: "about " + secret, Notes: []Note{{"value", secret}}, Hints: []string{secret}}, RenderConfig{Secrets: s})
		if got := strings.Count(b.String(), Mask); got < 8 {
			t.Errorf("%q: masked %d times in\n%s", secret, got, b.String())
		}
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range append(strings.Fields(secret), string(quoted[1:len(quoted)-1])) {
			if len(part) >= 8 && strings.Contains(b.String(), part) {
				t.Errorf("%q is shown in\n%s", part, b.String())
			}
		}
	}
}

func TestSecretsWriter(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	var none *Secrets
	if none.Writer(&b) != &b {
		t.Error("without secrets it is w itself")
	}
	s := &Secrets{}
	w := s.Writer(&b)
	if n, err := w.Write([]byte("before ")); n != 7 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	s.Add("secret")
	if n, err := w.Write([]byte("a secret\n")); n != 9 || err != nil || b.String() != "before a ***\n" {
		t.Errorf("%d %v %q", n, err, b.String())
	}
	if u, ok := w.(interface{ Unwrap() io.Writer }); !ok || u.Unwrap() != io.Writer(&b) {
		t.Error("it does not say what it wraps")
	}
}

func BenchmarkRedactNone(b *testing.B) {
	s := &Secrets{}
	text := strings.Repeat("a line of a log ", 20)
	b.ReportAllocs()
	for b.Loop() {
		s.Redact(text)
	}
}
