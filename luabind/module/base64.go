package module

import (
	"encoding/base64"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

func (s *Set) base64Module(L *lua.LState) lua.LValue {
	return table(L, "base64", map[string]function{"encode": s.base64Encode, "decode": s.base64Decode})
}

// base64Encode is base64.encode(text, { url = true, padding = false }) -> string. The alphabet of URLs has no padding unless it is asked for. A secret gives a secret.
func (s *Set) base64Encode(a *args) []lua.LValue {
	text, hidden := secretOrText(a, "the text")
	opts := a.Options()
	a.Done()
	web := opts.Boolean("url")
	coding := alphabet(web)
	if opts.BooleanOr("padding", !web) {
		coding = coding.WithPadding(base64.StdPadding)
	}
	return s.textual(a.L, coding.EncodeToString([]byte(text)), hidden)
}

// alphabet gives the coding without padding.
func alphabet(web bool) *base64.Encoding {
	if web {
		return base64.RawURLEncoding
	}
	return base64.RawStdEncoding
}

// base64Decode is base64.decode(text, { url = true }) -> string. Padding may be there or not, line breaks are passed over.
func (s *Set) base64Decode(a *args) []lua.LValue {
	text, hidden := secretOrText(a, "the text")
	opts := a.Options()
	a.Done()
	web := opts.Boolean("url")
	digits := strings.TrimRight(strings.NewReplacer("\n", "", "\r", "").Replace(text), "=")
	out, err := alphabet(web).Strict().DecodeString(digits)
	if err != nil {
		a.Raise(notBase64(strings.TrimRight(text, "=\r\n"), web, hidden))
	}
	return s.textual(a.L, string(out), hidden)
}

// notBase64 says why a text is no base64.
func notBase64(text string, web, hidden bool) *fault.Error {
	e := &fault.Error{Code: fault.Decode, Message: "base64.decode: the text is not base64: it ends in the middle of a byte"}
	other := "+/"
	if !web {
		other = "-_"
	}
	at := strings.IndexFunc(text, func(r rune) bool {
		return !(r == '\n' || r == '\r' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("+/-_", r) && !strings.ContainsRune(other, r))
	})
	switch {
	case at < 0:
	case hidden:
		e.Message = "base64.decode: the secret is not base64"
	default:
		e.Message = fmt.Sprintf("base64.decode: the text is not base64: it has %s at %d", fault.Quote(lua.LString([]rune(text[at:])[0])), at+1)
	}
	if at >= 0 && strings.IndexByte(other, text[at]) >= 0 {
		e.Hints = []string{map[bool]string{true: "'+' and '/' are of the plain alphabet: leave { url = true } out", false: "'-' and '_' are of the alphabet of URLs: { url = true }"}[web]}
	}
	return e
}
