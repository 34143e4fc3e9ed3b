package edit

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// key is what a person did: a character, a paste (name paste), or a key with a name such as enter, up, C-a, M-b, C-right.
type key struct {
	name string // "": text was typed
	text string
}

const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

var csiNames = map[byte]string{'A': "up", 'B': "down", 'C': "right", 'D': "left", 'H': "home", 'F': "end", 'Z': "backtab"}

var tildeNames = map[string]string{"1": "home", "7": "home", "4": "end", "8": "end", "3": "delete", "5": "pageup", "6": "pagedown"}

var controlNames = map[byte]string{'\r': "enter", '\n': "enter", '\t': "tab", 0x7f: "backspace", 0x08: "backspace", 0x1b: "escape", 0x1f: "C-_"}

// decode takes the first key from what the terminal sent. n is how many bytes it is; 0: it is not all there. A key without name and text is one
// that means nothing.
func decode(in []byte) (k key, n int) {
	c := in[0]
	switch {
	case c == 0x1b:
		return decodeEscape(in)
	case c < 0x20 || c == 0x7f:
		return key{name: controlName(c)}, 1
	}
	if !utf8.FullRune(in) {
		return key{}, 0
	}
	r, size := utf8.DecodeRune(in)
	if r == utf8.RuneError && size == 1 {
		return key{}, 1
	}
	return key{text: string(in[:size])}, size
}

func controlName(c byte) string {
	if name := controlNames[c]; name != "" {
		return name
	}
	return "C-" + string(rune(c|0x60))
}

func decodeEscape(in []byte) (key, int) {
	if len(in) == 1 {
		return key{}, 0
	}
	switch c := in[1]; {
	case c == '[':
		return decodeCSI(in)
	case c == 'O':
		if len(in) < 3 {
			return key{}, 0
		}
		return key{name: csiNames[in[2]]}, 3
	case c == '\r' || c == '\n':
		return key{name: "M-enter"}, 2
	case c == 0x7f || c == 0x08:
		return key{name: "M-backspace"}, 2
	case c == 0x1b:
		return key{name: "escape"}, 1
	case c < 0x20 || c >= utf8.RuneSelf:
		return key{}, 2
	}
	return key{name: "M-" + string(rune(in[1]|0x20))}, 2
}

// decodeCSI takes a sequence that begins with ESC [.
func decodeCSI(in []byte) (key, int) {
	if bytes.HasPrefix(in, []byte(pasteBegin)) {
		end := bytes.Index(in, []byte(pasteEnd))
		if end < 0 {
			return key{}, 0
		}
		text := strings.ReplaceAll(string(in[len(pasteBegin):end]), "\r\n", "\n")
		return key{name: "paste", text: strings.ReplaceAll(text, "\r", "\n")}, end + len(pasteEnd)
	}
	i := 2
	for i < len(in) && (in[i] < 0x40 || in[i] > 0x7e) {
		if i > 30 {
			return key{}, i // nobody sends that
		}
		i++
	}
	if i == len(in) {
		return key{}, 0
	}
	params := strings.Split(string(in[2:i]), ";")
	name := csiNames[in[i]]
	if in[i] == '~' {
		name = tildeNames[params[0]]
	}
	if name != "" && len(params) > 1 {
		switch params[1] {
		case "3", "9":
			name = "M-" + name
		case "5":
			name = "C-" + name
		}
	}
	return key{name: name}, i + 1
}
