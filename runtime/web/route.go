package web

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// methods are those that a page can have.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
}

// ParseRoute reads what a script gives as the path of a page: '/orders/{id}/', 'POST /orders/' or 'GET,POST /orders/'. No
// methods: GET.
func ParseRoute(route string) (verbs []string, pattern string, err error) {
	words := strings.Fields(route)
	switch {
	case len(words) == 1 && strings.HasPrefix(words[0], "/"):
		pattern = words[0]
	case len(words) == 2 && strings.HasPrefix(words[1], "/"):
		pattern = words[1]
		for _, verb := range strings.FieldsFunc(words[0], func(r rune) bool { return r == ',' || r == '|' }) {
			if !slices.Contains(methods(), verb) {
				return nil, "", fmt.Errorf("page %q: no method %s; there are %s", route, verb, strings.Join(methods(), " "))
			}
			verbs = append(verbs, verb)
		}
	default:
		return nil, "", fmt.Errorf("page %q: not a path like '/orders/{id}/' or 'POST /orders/'", route)
	}
	if err := checkPattern(pattern); err != nil {
		return nil, "", fmt.Errorf("page %q: %w", route, err)
	}
	return verbs, pattern, nil
}

// Parameters gives the names in a pattern, in order; * for the rest of the path.
func Parameters(pattern string) (names []string) {
	_ = eachPart(pattern, func(name, _ string) error {
		if name != "" {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// checkPattern refuses what the router would panic over, and paths that are ours.
func checkPattern(pattern string) error {
	if err := reserved(pattern); err != nil {
		return err
	}
	seen := map[string]bool{}
	return eachPart(pattern, func(name, expr string) error {
		switch {
		case name == "" || name == "*":
			return nil
		case !identifier(name):
			return fmt.Errorf("{%s} is no name: letters, digits and _", name)
		case seen[name]:
			return fmt.Errorf("{%s} is there twice", name)
		}
		seen[name] = true
		if _, err := regexp.Compile(expr); err != nil {
			return fmt.Errorf("{%s:%s} is no regular expression: %w", name, expr, err)
		}
		return nil
	})
}

// identifier tells whether a parameter may be called s.
func identifier(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// reserved refuses the paths that the worker answers itself.
func reserved(pattern string) error {
	switch strings.TrimSuffix(pattern, "/") {
	case "/livez", "/readyz", "/metrics", "/_":
		return errors.New("/livez, /readyz, /metrics and /_/ are the worker's own")
	}
	if strings.HasPrefix(pattern, "/_/") {
		return errors.New("/livez, /readyz, /metrics and /_/ are the worker's own")
	}
	return nil
}

// eachPart calls f for every parameter of a pattern and for the text between them (name "", expr the text).
func eachPart(pattern string, f func(name, expr string) error) error {
	for pattern != "" {
		i := strings.IndexAny(pattern, "{}*?#")
		if i < 0 {
			return f("", pattern)
		}
		if err := f("", pattern[:i]); err != nil {
			return err
		}
		switch pattern[i] {
		case '*':
			if pattern[i:] != "*" || i == 0 || pattern[i-1] != '/' {
				return errors.New("* stands for the rest of the path and comes last, after a /")
			}
			return f("*", "")
		case '{':
			end := closing(pattern[i:])
			if end < 0 {
				return errors.New("a { is not closed")
			}
			name, expr, _ := strings.Cut(pattern[i+1:i+end], ":")
			if name == "" {
				return errors.New("a parameter needs a name: {id}")
			}
			if err := f(name, expr); err != nil {
				return err
			}
			pattern = pattern[i+end+1:]
			if strings.HasPrefix(pattern, "{") {
				return errors.New("two parameters need something between them")
			}
		case '}':
			return errors.New("a } without {")
		default:
			return fmt.Errorf("%q does not belong to a path; query values are in request.query", pattern[i])
		}
	}
	return nil
}

// closing is the index of the } that belongs to the { at the start; expressions may have braces of their own.
func closing(s string) int {
	depth := 0
	for i, c := range s {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// verbs are the methods that a page answers, HEAD with GET.
func (p *Page) verbs() []string {
	verbs := slices.Clone(p.Methods)
	if len(verbs) == 0 {
		verbs = []string{http.MethodGet}
	}
	if slices.Contains(verbs, http.MethodGet) && !slices.Contains(verbs, http.MethodHead) {
		verbs = append(verbs, http.MethodHead)
	}
	return verbs
}

// Validate checks pages that are to run together: their patterns, and that no two of them answer the same requests.
func Validate(pages []*Page) error {
	seen := map[string]*Page{}
	for _, p := range pages {
		if !strings.HasPrefix(p.Pattern, "/") {
			return fmt.Errorf("page %q: a path begins with /", p.Pattern)
		}
		if err := checkPattern(p.Pattern); err != nil {
			return fmt.Errorf("page %q: %w", p.Pattern, err)
		}
		for _, verb := range p.verbs() {
			key := verb + " " + shape(p.Pattern)
			other := seen[key]
			if other == nil {
				seen[key] = p
				continue
			}
			if verb == http.MethodHead && (!slices.Contains(p.Methods, verb) || !slices.Contains(other.Methods, verb)) {
				continue // one of the two only has it from GET
			}
			return fmt.Errorf("page %s %s: answered already by %s (%s)", verb, p.Pattern, other.Pattern, other.Place)
		}
	}
	return nil
}

// shape is a pattern without the names of its parameters.
func shape(pattern string) string {
	var s strings.Builder
	_ = eachPart(pattern, func(name, expr string) error {
		switch name {
		case "":
			s.WriteString(expr)
		case "*":
			s.WriteString("*")
		default:
			s.WriteString("{" + expr + "}")
		}
		return nil
	})
	return s.String()
}
