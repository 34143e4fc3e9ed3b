package fault

import (
	"cmp"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Mask stands where a secret's text would be.
const Mask = "***"

// shortSecret is how many bytes a text has to have to be hidden: fewer occur everywhere, and hiding them would only make output unreadable.
const shortSecret = 4

// Secrets are texts that nobody may read: what passes through has Mask in their place, also where they are quoted, escaped or, of several
// lines, indented. nil and the zero value have none and cost nothing. It may be used from any goroutine.
type Secrets struct {
	mu       sync.Mutex
	texts    []string
	replacer atomic.Pointer[strings.Replacer]
}

// Add hides a text from now on.
func (s *Secrets) Add(text string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.texts)
	for _, form := range forms(text) {
		if len(form) >= shortSecret && !slices.Contains(s.texts, form) {
			s.texts = append(s.texts, form)
		}
	}
	if len(s.texts) == before {
		return
	}
	// The longest first: one that is a part of another must not leave the rest of it.
	slices.SortStableFunc(s.texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(s.texts))
	for _, t := range s.texts {
		pairs = append(pairs, t, Mask)
	}
	s.replacer.Store(strings.NewReplacer(pairs...))
}

// forms are a text as it may be written: as it is, its lines, and each of them quoted and in a URL.
func forms(text string) []string {
	plain := []string{text}
	if lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }); len(lines) > 1 {
		for _, l := range lines {
			if l = strings.TrimSpace(l); len(l) >= 2*shortSecret { // less may be a bracket and a name
				plain = append(plain, l)
			}
		}
	}
	var out []string
	for _, p := range plain {
		out = append(out, p, printable(p), OneLine(p), inner(strconv.Quote(p)), inner(asJSON(p, true)), inner(asJSON(p, false)),
			url.QueryEscape(p), url.PathEscape(p), (&url.URL{Path: p}).EscapedPath())
	}
	return out
}

// inner is what stands between the quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// asJSON writes a text as a JSON string, with or without the escapes that HTML needs.
func asJSON(text string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(text) // neither strings nor this writer fail
	return strings.TrimSuffix(b.String(), "\n")
}

// Redact gives a text without the secrets.
func (s *Secrets) Redact(text string) string {
	if s == nil {
		return text
	}
	if r := s.replacer.Load(); r != nil {
		return r.Replace(text)
	}
	return text
}

// Clear takes the secrets out of an error, before it leaves for where nothing else would: a message to another process, a console.
func (s *Secrets) Clear(e *Error) {
	if s == nil || s.replacer.Load() == nil {
		return
	}
	e.Message, e.Label = s.Redact(e.Message), s.Redact(e.Label)
	for i := range e.Notes {
		e.Notes[i].Text = s.Redact(e.Notes[i].Text)
	}
	for i := range e.Hints {
		e.Hints[i] = s.Redact(e.Hints[i])
	}
}

// Writer gives a writer that passes on to w what is written, without the secrets; a secret has to come in one piece. Its Unwrap gives w.
func (s *Secrets) Writer(w io.Writer) io.Writer {
	if s == nil {
		return w
	}
	return &masking{s, w}
}

type masking struct {
	secrets *Secrets
	w       io.Writer
}

func (m *masking) Unwrap() io.Writer { return m.w }

func (m *masking) Write(p []byte) (int, error) {
	r := m.secrets.replacer.Load()
	if r == nil {
		return m.w.Write(p)
	}
	if _, err := io.WriteString(m.w, r.Replace(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
