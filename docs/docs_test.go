package docs

import (
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	t.Parallel()
	list := Pages()
	if len(list) == 0 || list[0].Name != "start" {
		t.Fatalf("the first of %d pages is not the first one to read", len(list))
	}
	for _, p := range list {
		if !strings.HasSuffix(p.About, ".") {
			t.Errorf("page %s begins with %q, which is no sentence", p.Name, p.About)
		}
		if p.Title == p.Name || p.About == "" || !strings.HasPrefix(p.Text, "# ") {
			t.Errorf("page %s has the title %q, and begins with %q", p.Name, p.Title, p.About)
		}
		if same, ok := Find(strings.ToUpper(p.Name)); !ok || same != p {
			t.Errorf("page %s is not found", p.Name)
		}
		for width := range 120 {
			for line := range strings.Lines(Render(p.Text, Style{Width: width})) {
				shown := strings.ReplaceAll(line, "***", "") // of a secret
				if strings.Contains(line, "\x1b") || strings.Contains(shown, "**") {
					t.Fatalf("%s: the line %q", p.Name, line)
				}
			}
		}
	}
	if _, ok := Find("no such page"); ok {
		t.Error("there is a page of any name")
	}
}

const everything = "# The `title`\n" + `
A paragraph with **bold**, *slanted* and ` + "`code * of * ours`" + ` words, see
[tables](tables.md) and [Kafka](https://kafka.apache.org).
<!-- not
shown -->
## Lists

* one item that is so long that it has to go on in the next line
* two
  * inside

1. first
2. second

### Code

` + "```lua\nfor w in stream do  -- * not a list\n\n  print(w)\nend\n```" + `

    indented

> said by
> somebody

| name | text |
|------|------|
| a    | a text that has to be wrapped since there is no room |
| long name | with \| a bar |

---
the end
`

const shown = `The title
=========
  A paragraph with bold, slanted and
  code * of * ours words, see tables
  (faust help tables) and Kafka
  (https://kafka.apache.org).

Lists
  * one item that is so long that it has
    to go on in the next line
  * two
    * inside

  1. first
  2. second

  Code
    for w in stream do  -- * not a list

      print(w)
    end

    indented

  | said by somebody

  name       text
  a          a text that has to be
             wrapped since there is no
             room
  long name  with | a bar

  ------------------------------------

  the end
`

func TestRender(t *testing.T) {
	t.Parallel()
	if got := Render(everything, Style{Width: 40}); got != shown {
		t.Errorf("got\n%s\nwant\n%s", got, shown)
	}
	colored := Render(everything, Style{Width: 40, Color: true})
	for _, want := range []string{bold + "The title" + reset, bold + "bold" + reset, cyan + "code", dim + "  name"} {
		if !strings.Contains(colored, want) {
			t.Errorf("no %q in\n%s", want, colored)
		}
	}
	if got := escape.ReplaceAllString(colored, ""); got != strings.Replace(shown, "=========\n", "", 1) {
		t.Errorf("without colours it is\n%s", got)
	}
}

// On a terminal without room for columns a table's rows become lines.
func TestNarrowTable(t *testing.T) {
	t.Parallel()
	got := Render("| a name of length | another of length | some text |\n|---|---|---|\n| processing_guarantee | at_least_once | what is promised |", Style{Width: 30})
	want := "  processing_guarantee\n  at_least_once\n      what is promised\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzRender(f *testing.F) {
	f.Add(everything, 40)
	f.Add("```\n", 0)
	f.Add("|\n||\n|-|", 1)
	f.Add("* \n    x", 200)
	f.Fuzz(func(t *testing.T, text string, width int) {
		out := Render(text, Style{Width: width})
		if out != "" && !strings.HasSuffix(out, "\n") {
			t.Errorf("%q", out)
		}
	})
}
