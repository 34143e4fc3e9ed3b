package module

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// hashes are the hash functions by name.
var hashes = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

func (s *Set) cryptoModule(L *lua.LState) lua.LValue {
	functions := map[string]function{"hmac": cryptoHMAC, "random": cryptoRandom, "equal": cryptoEqual}
	for name, make := range hashes {
		functions[name] = digest(make)
	}
	return table(L, "crypto", functions)
}

// digest is crypto.sha256(text, { raw = true }) and its kin -> hexadecimal digits, or the bytes.
func digest(make func() hash.Hash) function {
	return func(a *args) []lua.LValue {
		text, _ := secretOrText(a, "the text")
		opts := a.Options()
		a.Done()
		return summed(make(), text, opts)
	}
}

// summed gives the sum of a text.
func summed(h hash.Hash, text string, opts options) []lua.LValue {
	_, _ = h.Write([]byte(text)) // a hash never fails
	sum := h.Sum(nil)
	if opts.Boolean("raw") {
		return []lua.LValue{lua.LString(sum)}
	}
	return []lua.LValue{lua.LString(hex.EncodeToString(sum))}
}

// cryptoHMAC is crypto.hmac(algorithm, key, text, { raw = true }) -> hexadecimal digits, or the bytes. The key may be a secret.
func cryptoHMAC(a *args) []lua.LValue {
	name := a.Text("the algorithm")
	make, ok := hashes[name]
	if !ok {
		known := slices.Sorted(maps.Keys(hashes))
		a.Raise(&fault.Error{Code: fault.Usage, Message: "crypto.hmac: there is no algorithm '" + fault.Cut(name, 40) + "'",
			Place: fault.ArgPlace(a.L, 1), Hints: []string{fault.DidYouMean(name, known)}})
	}
	key, _ := secretOrText(a, "the key")
	text, _ := secretOrText(a, "the text")
	opts := a.Options()
	a.Done()
	return summed(hmac.New(make, []byte(key)), text, opts)
}

// cryptoRandom is crypto.random(n, { hex = true }) -> n bytes that nobody can guess, or their hexadecimal digits.
func cryptoRandom(a *args) []lua.LValue {
	b := make([]byte, a.Integer("the number of bytes", 0, 1<<24))
	opts := a.Options()
	a.Done()
	_, _ = rand.Read(b) // cannot fail: crypto/rand ends the process rather than give less
	if opts.Boolean("hex") {
		return []lua.LValue{lua.LString(hex.EncodeToString(b))}
	}
	return []lua.LValue{lua.LString(b)}
}

// cryptoEqual is crypto.equal(a, b) -> boolean, in a time that does not tell where two texts of one length differ.
func cryptoEqual(a *args) []lua.LValue {
	x, _ := secretOrText(a, "the first text")
	y, _ := secretOrText(a, "the second text")
	a.Done()
	return []lua.LValue{lua.LBool(subtle.ConstantTimeCompare([]byte(x), []byte(y)) == 1)}
}
