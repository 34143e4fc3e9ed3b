// Package docs is the manual: pages of Markdown in the binary, and their rendering for a terminal. It imports nothing of ours.
package docs

import (
	"embed"
	"io/fs"
	"strings"
	"sync"
)

//go:embed *.md
var files embed.FS

// Page is one page of the manual.
type Page struct {
	Name  string // start: of its file, without .md
	Title string // its first heading
	About string // its first sentence
	Text  string // Markdown
}

// first is the page that new users read; the others are listed by name behind it.
const first = "start"

var pages = sync.OnceValue(func() []Page {
	names, err := fs.Glob(files, "*.md")
	if err != nil {
		panic(err) // the pattern is ours
	}
	list := make([]Page, 0, len(names))
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is in the binary
		}
		p := read(strings.TrimSuffix(name, ".md"), string(text))
		if p.Name == first {
			list = append([]Page{p}, list...)
		} else {
			list = append(list, p)
		}
	}
	return list
})

// Pages gives all pages in the order in which they are listed.
func Pages() []Page { return pages() }

// Find gives the page of that name; case does not matter.
func Find(name string) (Page, bool) {
	for _, p := range pages() {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Page{}, false
}

// read takes title and first sentence out of a page.
func read(name, text string) Page {
	p := Page{Name: name, Title: name, Text: text}
	for _, b := range blocks(text) {
		switch {
		case b.kind == heading && p.Title == name:
			p.Title = plain(b.lines[0])
		case b.kind == paragraph:
			p.About = sentence(plain(strings.Join(b.lines, " ")))
			return p
		}
	}
	return p
}

// sentence gives the first sentence of a text.
func sentence(text string) string {
	for _, end := range []string{". ", ": ", "! ", "? "} {
		if i := strings.Index(text, end); i >= 0 {
			text = text[:i+1]
		}
	}
	text = strings.TrimSuffix(text, ":")
	if text != "" && !strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		text += "."
	}
	return text
}
