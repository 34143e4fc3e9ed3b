package record

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth bounds lists and objects inside each other, in both directions.
const maxDepth = 256

// jsonKind is what a JSON value is, as the scanner saw it.
type jsonKind uint8

const (
	jAbsent jsonKind = iota
	jNull
	jTrue
	jFalse
	jInteger  // digits, perhaps with a sign
	jNumber   // with a fraction
	jExponent // with an exponent
	jString
	jEscaped // a string with escapes
	jObject
	jArray
)

func (k jsonKind) number() bool { return k == jInteger || k == jNumber || k == jExponent }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// skipSpace gives the first byte from i on that is no white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// scanString checks a string from the byte after its opening quote on and gives the place of its closing quote.
func scanString(b []byte, i int) (end int, kind jsonKind, p *problem) {
	kind = jString
	for {
		for i+8 <= len(b) { // eight bytes at a time as long as they are plain
			if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return 0, 0, broken(len(b), "a string is not closed")
		}
		switch c := b[i]; {
		case c == '"':
			return i, kind, nil
		case c == '\\':
			kind = jEscaped
			if i, p = scanEscape(b, i); p != nil {
				return 0, 0, p
			}
		case c < 0x20:
			return 0, 0, broken(i, "a control character in a string")
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && size <= 1 {
				return 0, 0, broken(i, "a string is not valid UTF-8")
			}
			i += size
		}
	}
}

// scanEscape checks the escape whose backslash is at i and gives the place after it.
func scanEscape(b []byte, i int) (int, *problem) {
	if i+1 >= len(b) {
		return 0, broken(len(b), "a string is not closed")
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		if _, ok := hex4(b, i+2); ok {
			return i + 6, nil
		}
	}
	return 0, broken(i, "an unknown escape in a string")
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func isDigit(b []byte, i int) bool { return i < len(b) && b[i]-'0' <= 9 }

// scanNumber checks a number and gives the place after it.
func scanNumber(b []byte, i int) (end int, kind jsonKind, p *problem) {
	kind = jInteger
	start := i
	if b[i] == '-' {
		i++
	}
	switch {
	case !isDigit(b, i):
		return 0, 0, unexpected(b, i, "a digit")
	case b[i] == '0' && isDigit(b, i+1):
		return 0, 0, broken(start, "a number with a leading zero")
	}
	for isDigit(b, i) {
		i++
	}
	if i < len(b) && b[i] == '.' {
		kind = jNumber
		if i++; !isDigit(b, i) {
			return 0, 0, unexpected(b, i, "a digit")
		}
		for isDigit(b, i) {
			i++
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		kind = jExponent
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !isDigit(b, i) {
			return 0, 0, unexpected(b, i, "a digit")
		}
		for isDigit(b, i) {
			i++
		}
	}
	return i, kind, nil
}

// unexpected says what is at i instead of what should be there.
func unexpected(b []byte, i int, expected string) *problem {
	if i >= len(b) {
		return broken(len(b), "it ends where %s is expected", expected)
	}
	r, _ := utf8.DecodeRune(b[i:])
	return broken(i, "%q where %s is expected", r, expected)
}

// skipValue checks any value at i, which is no white space, and gives the place after it.
func skipValue(b []byte, i, depth int) (end int, kind jsonKind, p *problem) {
	if i >= len(b) {
		return 0, 0, unexpected(b, i, "a value")
	}
	switch b[i] {
	case '"':
		if end, kind, p = scanString(b, i+1); p != nil {
			return 0, 0, p
		}
		return end + 1, kind, nil
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return scanNumber(b, i)
	case '{':
		return skipObject(b, i, depth)
	case '[':
		return skipArray(b, i, depth)
	case 't':
		return skipWord(b, i, "true", jTrue)
	case 'f':
		return skipWord(b, i, "false", jFalse)
	case 'n':
		return skipWord(b, i, "null", jNull)
	}
	return 0, 0, unexpected(b, i, "a value")
}

func skipWord(b []byte, i int, word string, kind jsonKind) (int, jsonKind, *problem) {
	if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
		return i + len(word), kind, nil
	}
	return 0, 0, unexpected(b, i, "a value")
}

// element checks what follows a list's item or an object's member: closed, or the start of the next one.
func element(b []byte, i int, closer byte) (next int, closed bool, p *problem) {
	i = skipSpace(b, i)
	switch {
	case i < len(b) && b[i] == ',':
		return skipSpace(b, i+1), false, nil
	case i < len(b) && b[i] == closer:
		return i + 1, true, nil
	}
	return 0, false, unexpected(b, i, "',' or '"+string(closer)+"'")
}

// opening checks what follows the bracket at i: closed, or the start of the first item or member.
func opening(b []byte, i int, closer byte, depth int) (next int, closed bool, p *problem) {
	if depth >= maxDepth {
		return 0, false, broken(i, "lists and objects are more than %d deep", maxDepth)
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == closer {
		return i + 1, true, nil
	}
	return i, false, nil
}

func skipArray(b []byte, i, depth int) (int, jsonKind, *problem) {
	i, closed, p := opening(b, i, ']', depth)
	for !closed && p == nil {
		if i, _, p = skipValue(b, i, depth+1); p == nil {
			i, closed, p = element(b, i, ']')
		}
	}
	return i, jArray, p
}

func skipObject(b []byte, i, depth int) (int, jsonKind, *problem) {
	i, closed, p := opening(b, i, '}', depth)
	for !closed && p == nil {
		if _, _, i, p = scanKey(b, i); p != nil {
			break
		}
		if i, _, p = skipValue(b, i, depth+1); p == nil {
			i, closed, p = element(b, i, '}')
		}
	}
	return i, jObject, p
}

// scanKey checks a member's name and the colon and gives the name without quotes and the place of the value.
func scanKey(b []byte, i int) (name []byte, kind jsonKind, next int, p *problem) {
	if i >= len(b) || b[i] != '"' {
		return nil, 0, 0, unexpected(b, i, "a name in quotes")
	}
	end, kind, p := scanString(b, i+1)
	if p != nil {
		return nil, 0, 0, p
	}
	name = b[i+1 : end]
	i = skipSpace(b, end+1)
	if i >= len(b) || b[i] != ':' {
		return nil, 0, 0, unexpected(b, i, "':'")
	}
	return name, kind, skipSpace(b, i+1), nil
}

// unescape appends the text of a checked string with escapes. Half a surrogate pair becomes U+FFFD, as everywhere.
func unescape(buf, b []byte) []byte {
	for i := 0; i < len(b); {
		c := b[i]
		if c != '\\' {
			buf = append(buf, c)
			i++
			continue
		}
		i += 2
		switch c = b[i-1]; c {
		case 'b':
			buf = append(buf, '\b')
		case 'f':
			buf = append(buf, '\f')
		case 'n':
			buf = append(buf, '\n')
		case 'r':
			buf = append(buf, '\r')
		case 't':
			buf = append(buf, '\t')
		case 'u':
			r, _ := hex4(b, i)
			i += 4
			if r >= 0xd800 && r < 0xdc00 && i+6 <= len(b) && b[i] == '\\' && b[i+1] == 'u' {
				if low, ok := hex4(b, i+2); ok && low >= 0xdc00 && low < 0xe000 {
					r = (r-0xd800)<<10 | (low - 0xdc00) + 0x10000
					i += 6
				}
			}
			buf = utf8.AppendRune(buf, r)
		default:
			buf = append(buf, c)
		}
	}
	return buf
}
