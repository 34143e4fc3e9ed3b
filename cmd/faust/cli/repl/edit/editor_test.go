package edit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivo/uniseg"

	"faust/runtime/control"
	"faust/tests/seed"
)

// fake is a terminal with a person on its other side: what is typed comes from keys, what is written is drawn on a screen.
type fake struct {
	keys chan string

	mu      sync.Mutex
	columns int
	height  int
	cells   [][]string // rows of characters; a wide one is followed by an empty one
	row     int
	col     int
	raw     bool
}

func newFake(columns, height int) *fake {
	return &fake{keys: make(chan string), columns: columns, height: height}
}

func (f *fake) Read(p []byte) (int, error) {
	s, ok := <-f.keys
	if !ok {
		return 0, io.EOF
	}
	return copy(p, s), nil
}

func (f *fake) Size() (int, int) { f.mu.Lock(); defer f.mu.Unlock(); return f.columns, f.height }

func (f *fake) Raw() (func(), error) {
	f.raw = true
	return func() { f.raw = false }, nil
}

// Write draws, as a terminal in raw mode does. What leaves the screen at the top is kept, but cannot be reached any more.
func (f *fake) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := string(p); s != ""; {
		switch {
		case strings.HasPrefix(s, "\x1b["):
			end := 2 + strings.IndexFunc(s[2:], func(r rune) bool { return r >= 0x40 })
			f.control(s[2:end], s[end])
			s = s[end+1:]
		case s[0] == '\r' || s[0] == '\n':
			if s[0] == '\r' {
				f.col = 0
			} else {
				f.row++
			}
			s = s[1:]
		default:
			var c string
			var w int
			c, s, w, _ = uniseg.FirstGraphemeClusterInString(s, -1)
			f.put(c, w)
		}
	}
	return len(p), nil
}

func (f *fake) control(params string, final byte) {
	n := 1
	if x, err := strconv.Atoi(params); err == nil {
		n = x
	}
	switch final {
	case 'A':
		if top := max(0, len(f.cells)-f.height); f.row-n < top {
			panic(fmt.Sprintf("moves up by %d from row %d: beyond the screen", n, f.row-top))
		}
		f.row -= n
	case 'C':
		f.col = min(f.col+n, f.columns-1)
	case 'J':
		if params == "2" {
			f.cells, f.row, f.col = nil, 0, 0
			return
		}
		for i := range f.cells {
			if i == f.row {
				f.cells[i] = f.cells[i][:min(f.col, len(f.cells[i]))]
			} else if i > f.row {
				f.cells[i] = nil
			}
		}
	case 'H':
		f.row, f.col = 0, 0
	case 'm', 'h', 'l':
	default:
		panic("unknown sequence " + params + string(final))
	}
}

func (f *fake) put(c string, w int) {
	if f.col+w > f.columns {
		f.row, f.col = f.row+1, 0
	}
	for len(f.cells) <= f.row {
		f.cells = append(f.cells, nil)
	}
	row := f.cells[f.row]
	for len(row) < f.col+w {
		row = append(row, " ")
	}
	row[f.col] = c
	for i := 1; i < w; i++ {
		row[f.col+i] = ""
	}
	f.cells[f.row] = row
	f.col += w
}

// shows gives the screen with | where the cursor is, without blanks at the end of rows.
func (f *fake) shows() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var rows []string
	for i := range max(len(f.cells), f.row+1) {
		var cells []string
		if i < len(f.cells) {
			cells = append(cells, f.cells[i]...)
		}
		if i == f.row {
			for len(cells) <= f.col {
				cells = append(cells, " ")
			}
			cells[f.col] = "|" + cells[f.col]
		}
		rows = append(rows, strings.TrimRight(strings.Join(cells, ""), " "))
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// session is an editor that reads in a bubble.
type session struct {
	t    *testing.T
	e    *Editor
	f    *fake
	got  string
	err  error
	done bool
}

// begin starts an editor; inside a bubble.
func begin(t *testing.T, columns, height int, set func(e *Editor)) *session {
	f := newFake(columns, height)
	s := &session{t: t, f: f, e: &Editor{Terminal: f, Prompt: ">> ", More: ".. ", History: &History{}}}
	if set != nil {
		set(s.e)
	}
	s.read()
	t.Cleanup(func() { close(f.keys); synctest.Wait() })
	return s
}

func (s *session) read() {
	s.done = false
	go func() {
		s.got, s.err = s.e.Read(s.t.Context())
		s.done = true
	}()
	synctest.Wait()
}

// press types keys, each on its own.
func (s *session) press(keys ...string) {
	for _, k := range keys {
		s.f.keys <- k
		synctest.Wait()
	}
}

func (s *session) shows(want string) {
	s.t.Helper()
	if got := s.f.shows(); got != want {
		s.t.Errorf("the screen shows\n%s\nwant\n%s", got, want)
	}
}

// ends presses enter and compares what was read.
func (s *session) ends(want string) {
	s.t.Helper()
	s.press("\r")
	if !s.done || s.err != nil || s.got != want {
		s.t.Errorf("read %q, %v, %v; want %q", s.got, s.err, s.done, want)
	}
}

const (
	upKey, downKey, rightKey, leftKey = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
)

// balanced is what is whole in these tests.
func balanced(_ context.Context, s string) bool {
	return strings.Count(s, "(") <= strings.Count(s, ")")
}

func TestEdit(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"a", "b", "c"}, "abc"},
		{[]string{"abc"}, "abc"},
		{[]string{"ac", leftKey, "b"}, "abc"},
		{[]string{"bc", "\x01", "a", "\x05", "d"}, "abcd"},
		{[]string{"abc", "\x7f", "\x7f", "x"}, "ax"},
		{[]string{"äöü", "\x7f", leftKey, "x"}, "äxö"},
		{[]string{"日本", leftKey, "x"}, "日x本"},
		{[]string{"e\u0301a", leftKey, leftKey, "x"}, "xe\u0301a"},
		{[]string{"👨‍👩‍👧!", leftKey, "\x7f", "x"}, "x!"},
		{[]string{"\u200d", leftKey, "x"}, "x\u200d"},
		{[]string{"one two", "\x17", "x"}, "one x"},
		{[]string{"one two", "\x1bb", "x"}, "one xtwo"},
		{[]string{"one two", "\x01", "\x1bf", "x"}, "onex two"},
		{[]string{"one two", "\x01", "\x1bd", "x"}, "x two"},
		{[]string{"one two", "\x1b[1;5D", "x"}, "one xtwo"},
		{[]string{"one.two", "\x1b\x7f", "x"}, "one.x"},
		{[]string{"abc", "\x15", "x", "\x19"}, "xabc"},
		{[]string{"abc", leftKey, "\x0b", "x"}, "abx"},
		{[]string{"ab", "\x14"}, "ba"},
		{[]string{"abc", "\x01", "\x14"}, "abc"},
		{[]string{"abc", "\x01", "\x04", "\x1b[3~"}, "c"},
		{[]string{"one", " ", "two", "\x1f"}, "one "},
		{[]string{"one", " ", "two", "\x1f", "\x1f", "\x1f"}, ""},
		{[]string{"a\x1b[200~b\nc\r\nd\x1b[201~e"}, "ab\nc\nde"},
		{[]string{"\x1b[200~part", "ly\x1b[201", "~!"}, "partly!"},
		{[]string{"a", "\x1b\r", "b"}, "a\nb"},
		{[]string{"a\xffb"}, "ab"},
		{[]string{"\xe6", "\x97", "\xa5"}, "日"},
		{[]string{"a", "\x1b[99;99Xb", "\x1b", "[", "H", "c"}, "cab"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, 40, 10, nil)
			s.press(c.keys...)
			s.ends(c.want)
			if t.Failed() {
				t.Logf("after %q", c.keys)
			}
		})
	}
}

func TestSeveralLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, 20, 10, func(e *Editor) {
			e.Whole = balanced
			e.Indent = func(string) string { return "  " }
			e.Outdent = func(text string) bool { return strings.HasSuffix(text, "  )") }
		})
		s.press("f(", "\r", "one", "\r", "two")
		s.shows(">> f(\n..   one\n..   two|")
		s.press(upKey, upKey)
		s.shows(">> f(|\n..   one\n..   two")
		s.press("x", downKey, downKey, "y")
		s.shows(">> f(x\n..   one\n..   ty|wo")
		s.press("\x05", "\r", ")")
		s.shows(">> f(x\n..   one\n..   tywo\n.. )|")
		s.ends("f(x\n  one\n  tywo\n)")
		s.shows(">> f(x\n..   one\n..   tywo\n.. )\n|")
	})
}

func TestWrapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, 10, 6, nil)
		s.press("0123456")
		s.shows(">> 0123456\n|")
		s.press("789")
		s.shows(">> 0123456\n789|")
		s.press("\x01")
		s.shows(">> |0123456\n789")
		s.press("日")
		s.shows(">> 日|01234\n56789")
		s.press("\x05", "0日")
		s.shows(">> 日01234\n567890日|")
		s.press("日")
		s.shows(">> 日01234\n567890日日\n|")
		s.press("\t") // there is nothing to complete
		s.press("\x1b[200~\ta\x07b\x1b[201~")
		s.shows(">> 日01234\n567890日日\n    a·b|")
		s.ends("日01234567890日日\ta\ab")
	})
}

// An input of more rows than the screen has is shown around the cursor.
func TestLongInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, 20, 4, nil)
		s.press("\x1b[200~1\n2\n3\n4\n5\n6\x1b[201~")
		s.shows(".. 3\n.. 4\n.. 5\n.. 6|")
		s.press(upKey, upKey, upKey, upKey, upKey)
		s.shows(">> 1|\n.. 2\n.. 3\n.. 4")
		s.ends("1\n2\n3\n4\n5\n6")
		if got := s.f.shows(); !strings.HasSuffix(got, ">> 1\n.. 2\n.. 3\n.. 4\n.. 5\n.. 6\n|") {
			t.Errorf("at the end the screen shows\n%s", got)
		}
	})
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, 40, 10, func(e *Editor) { e.Color = true })
		for _, entry := range []string{"print(1)", "for i\nend", "print(2)"} {
			if err := s.e.History.Add(entry); err != nil {
				t.Fatal(err)
			}
		}
		s.press("\x03")
		if !errors.Is(s.err, ErrInterrupted) {
			t.Errorf("^C gives %v", s.err)
		}
		s.read()
		s.press("new", upKey)
		s.shows(">>\n>> print(2)|")
		s.press(upKey)
		s.shows(">>\n>> for i\n.. end|")
		s.press(upKey, upKey)
		s.shows(">>\n>> print(1)|\n\n"[:len(">>\n>> print(1)|")])
		s.press("\x1b[6~", "\x1b[6~", "\x1b[6~", "\x1b[6~")
		s.shows(">>\n>> new|")
		s.press("\x15", "pr")
		s.shows(">>\n>> pr|int(2)") // in grey
		s.press("\x1b[1;5C")
		s.shows(">>\n>> print|(2)")
		s.press(rightKey)
		s.ends("print(2)")
		s.read()
		s.press("\x12", "i")
		s.shows(">>\n>> print(2)\n(search 'i') pr|int(2)")
		s.press("\x12")
		s.shows(">>\n>> print(2)\n(search 'i') for |i\n.. end")
		s.press("\x12", "x")
		s.shows(">>\n>> print(2)\n(not found 'ix') pr|int(1)")
		s.press("\x7f", "\x7f", "fo")
		s.shows(">>\n>> print(2)\n(search 'fo') |for i\n.. end")
		s.press("\x05")
		s.shows(">>\n>> print(2)\n>> for i|\n.. end")
		s.press("\x12", "zzz", "\x1b")
		<-time.After(2 * escapeTime) // of the bubble
		synctest.Wait()
		s.shows(">>\n>> print(2)\n>> for i|\n.. end")
		s.ends("for i\nend")
		s.read()
		s.press("\x04")
		if !errors.Is(s.err, io.EOF) {
			t.Errorf("^D gives %v", s.err)
		}
		if s.f.raw {
			t.Error("the terminal is left raw")
		}
	})
}

// TestSuggestionGoes: what was suggested and not taken is not on the screen once the input is done, where it would look like what was typed.
func TestSuggestionGoes(t *testing.T) {
	for name, k := range map[string]string{"enter": "\r", "^C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, 40, 10, func(e *Editor) { e.Color = true })
				if err := s.e.History.Add("print(2)"); err != nil {
					t.Fatal(err)
				}
				s.press("pr")
				s.shows(">> pr|int(2)")
				s.press(k)
				s.shows(">> pr\n|")
			})
		})
	}
}

func TestHistoryFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faust", "history", "shop")
	h, err := OpenHistory(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range []string{"one", "two\n  lines", "one", " secret", "", "two\n  lines\n"} {
		if err := h.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"one", "two\n  lines"}
	if got := fmt.Sprintf("%q", h.entries); got != fmt.Sprintf("%q", want) {
		t.Errorf("entries %s", got)
	}
	if h, err = OpenHistory(file); err != nil || fmt.Sprintf("%q", h.entries) != fmt.Sprintf("%q", want) {
		t.Errorf("read again: %q, %v", h.entries, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for i := range 3 * mostEntries {
		if err := h.Add(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if h, err = OpenHistory(file); err != nil || len(h.entries) != mostEntries || h.entries[mostEntries-1] != fmt.Sprint(3*mostEntries-1) {
		t.Errorf("%d entries, %v", len(h.entries), err)
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), "\n") != mostEntries {
		t.Errorf("the file has %d lines, %v", strings.Count(string(b), "\n"), err)
	}
}

// words completes from a list.
func words(list ...string) func(context.Context, string) control.Completion {
	return func(_ context.Context, text string) control.Completion {
		word := text[strings.LastIndexAny(text, " (")+1:]
		c := control.Completion{Replace: len(word), Signature: "f(word)"}
		for _, w := range list {
			if strings.HasPrefix(w, word) {
				c.Candidates = append(c.Candidates, control.Candidate{Text: w, Kind: "word", Help: "about " + w})
			}
		}
		return c
	}
}

func TestCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, 70, 12, func(e *Editor) { e.Complete = words("orders", "order", "ordinary", "print") })
		s.press("p", "\t")
		s.shows(">> print|\nf(word)")
		s.press("(")
		s.shows(">> print(|\nf(word)")
		s.press("o", "\t")
		s.shows(">> print(ord|\nf(word)")
		s.press("\t")
		s.shows(">> print(ord|\nf(word)\n orders    word      about orders\n order     word      about order\n ordinary  word      about ordinary")
		s.press("\t", "\t")
		s.shows(">> print(order|\nf(word)\n orders    word      about orders\n>order     word      about order\n ordinary  word      about ordinary")
		s.press("\x1b[Z")
		s.shows(">> print(orders|\nf(word)\n>orders    word      about orders\n order     word      about order\n ordinary  word      about ordinary")
		s.press("\r")
		s.shows(">> print(orders|\nf(word)")
		s.press(")")
		s.shows(">> print(orders)|")
		s.ends("print(orders)")
	})
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, 30, 12, func(e *Editor) {
			e.Complete, e.Color = words("orders", "order", "ordinary", "äther", "ätzen", "x"), true
		})
		s.press("ord", "\t")
		s.shows(">> ord|\nf(word)\norders    order     ordinary")
		s.press(downKey, rightKey, "\x1b")
		<-time.After(2 * escapeTime) // of the bubble
		synctest.Wait()
		s.shows(">> ord|\nf(word)")
		s.press("\x15", "ä", "\t")
		s.shows(">> ät|\nf(word)")
		s.press("\t", "\t", "!")
		s.shows(">> äther!|\nf(word)")
	})
}

// A menu of more candidates than there is room for is shown around the chosen one.
func TestLongMenu(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []string
		for i := range 30 {
			list = append(list, fmt.Sprintf("w%02d-and-a-lo-rest", i))
		}
		s := begin(t, 20, 8, func(e *Editor) { e.Complete = words(list...) })
		s.press("w", "\t")
		s.shows(">> w|\nf(word)\n w00-and-a-lo-rest\n w01-and-a-lo-rest\n… 28 more")
		for range 20 {
			s.press("\t")
		}
		s.shows(">> w19-and-a-lo-rest\n|\nf(word)\n w18-and-a-lo-rest\n>w19-and-a-lo-rest\n… 10 more")
	})
}

// What others write stands above the input.
func TestAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var above *Above
		s := begin(t, 20, 8, func(e *Editor) { above = NewAbove(e.Terminal); e.Above = above })
		s.press("one", "\x1b\r", "two", leftKey)
		fmt.Fprintln(above, "a line of a log")
		s.shows("a line of a log\n>> one\n.. tw|o")
		s.press("x")
		s.shows("a line of a log\n>> one\n.. twx|o")
		s.ends("one\ntwxo")
		fmt.Fprint(above, "later\r\n")
		s.shows("a line of a log\n>> one\n.. twxo\nlater\n|")
	})
}

// ^X^E hands the input to a program, and the terminal as it was.
func TestProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fake
		s := begin(t, 20, 8, func(e *Editor) {
			f = e.Terminal.(*fake)
			e.Edit = func(input string) (string, error) {
				if f.raw {
					t.Error("the terminal is raw")
				}
				return input + " edited\n", nil
			}
		})
		s.press("it is", "\x18", "\x05")
		s.shows(">> it is\n>> it is edited|")
		if !s.f.raw {
			t.Error("the terminal is not raw any more")
		}
		s.press("\x18", "x")
		s.ends("it is editedx")
	})
}

// A read that is given up leaves what is typed to the next.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(20, 5)
		e := &Editor{Terminal: f, Prompt: ">> "}
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { _, err := e.Read(ctx); done <- err }()
		f.keys <- "abc"
		synctest.Wait()
		stop := errors.New("enough")
		cancel(stop)
		if err := <-done; !errors.Is(err, stop) {
			t.Errorf("gives %v", err)
		}
		go func() { f.keys <- "def\r" }()
		if got, err := e.Read(t.Context()); got != "def" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		close(f.keys)
		if _, err := e.Read(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	})
}

// Every row is drawn by itself: a style ends with it and begins again in the next.
func TestStyle(t *testing.T) {
	p := lay("> ", ". ", text{s: "ab\ncdefg"}, []Span{{1, 5, "<"}, {7, 8, "["}}, "!", "(", 5)
	if got := strings.Join(p.rows, "|"); got != "> a<b\x1b[0m|. <cd\x1b[0me|f[g\x1b[0m(!\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := fmt.Sprint(p.widths); got != "[4 5 3]" {
		t.Errorf("widths %s", got)
	}
}

// Whatever is typed, the screen shows the input as it is, with the cursor where it belongs.
func TestRandomKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(seed.Of(t), 0))
	keys := []string{"a", "bc ", "é", "日", "(", ")", "\r", "\x1b\r", "\x7f", "\x1b[3~", upKey, downKey, leftKey, rightKey, "\x01", "\x05", "\x17", "\x0b", "\x19",
		"\x1f", "\t", "\t", "\x1bb", "\x1bf", "\x12", "\x1b[200~x\ny\x1b[201~", "ord", "👨‍👩‍👧", "\x14", "\x0c", "\x1b[5~", "\x1b[6~", "\x1b[Z"}
	for range 60 {
		synctest.Test(t, func(t *testing.T) {
			columns, height := 6+random.IntN(30), 4+random.IntN(12)
			s := begin(t, columns, height, func(e *Editor) {
				e.Complete, e.Whole = words("orders", "order", "ordinary"), balanced
				e.Color = random.IntN(2) == 0
				e.Style = func(input string, at int) []Span {
					return []Span{{From: 1, To: 3, Style: grey}, {From: max(3, at), To: len(input), Style: inverse}}
				}
			})
			for range 40 {
				k := keys[random.IntN(len(keys))]
				if s.press(k); s.done {
					if err := s.e.History.Add(s.got); err != nil {
						t.Fatal(err)
					}
					s.read()
				}
				s.consistent(k)
			}
			s.press("\x12", "\x03", "\x03")
		})
		if t.Failed() {
			break
		}
	}
}

// consistent compares the screen with the input laid out afresh.
func (s *session) consistent(k string) {
	s.t.Helper()
	e := s.e
	if e.search != nil {
		return // its prompt is another
	}
	p := lay(e.Prompt, e.More, e.text, nil, e.ghost(), "", s.f.columns)
	want := strings.TrimRight(p.rows[p.row], " ")
	row := ""
	if s.f.row < len(s.f.cells) {
		row = strings.TrimRight(strings.Join(s.f.cells[s.f.row], ""), " ")
	}
	if row != want || s.f.col != p.col {
		s.t.Errorf("after %q: row %q column %d, want %q column %d of\n%s", k, row, s.f.col, want, p.col, s.f.shows())
	}
	if e.at != e.before(e.next(e.at)) && e.next(e.at) > e.at {
		s.t.Errorf("after %q: the cursor stands inside a character of %q at %d", k, e.s, e.at)
	}
}
