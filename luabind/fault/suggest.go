package fault

import (
	"slices"
	"strings"
	"unicode"
)

// Suggest gives the known name most like name, or "": edit distance of at most a third of the length plus one, prefix and case.
// A swap of two neighbours counts as one edit. The order of known does not matter, and name itself is never suggested.
func Suggest(name string, known []string) string {
	best, bestRank := "", rank{distance: 1 << 30}
	for _, k := range known {
		if k == name || k == "" {
			continue
		}
		if r, ok := likeness(name, k); ok && r.before(bestRank, k, best) {
			best, bestRank = k, r
		}
	}
	return best
}

// rank says how like two names are; smaller is more.
type rank struct {
	distance int // edits, in halves: what differs in case or separators only counts less
	letters  int // 0: the same letters in another order
	prefix   int // negated length of the common prefix
	exact    int // edits with case and separators: orders is a topic, Order its record
	length   int // difference of the lengths
}

func (r rank) before(o rank, name, other string) bool {
	switch {
	case r.distance != o.distance:
		return r.distance < o.distance
	case r.letters != o.letters:
		return r.letters < o.letters
	case r.prefix != o.prefix:
		return r.prefix < o.prefix
	case r.exact != o.exact:
		return r.exact < o.exact
	case r.length != o.length:
		return r.length < o.length
	}
	return name < other
}

func likeness(name, known string) (rank, bool) {
	a, b := fold(name), fold(known)
	exact := distance([]rune(name), []rune(known))
	if slices.Equal(a, b) {
		return rank{distance: 1, exact: exact}, true
	}
	d := distance(a, b)
	long, short := max(len(a), len(b)), min(len(a), len(b))
	r := rank{distance: 2 * d, prefix: -common(a, b), length: long - short, exact: exact, letters: boolInt(!sameLetters(a, b))}
	if d <= len(a)/3+1 && 2*d <= long && d < long-boolInt(short == 1) && plausible(a, b, d) {
		return r, true
	}
	// max_message for max_messages_per_second: what is begun right is meant, but whatever is closer comes first
	if p := common(a, b); p == short && short >= 3 {
		r.distance = 2*(len(a)/3+1) + 1
		return r, true
	}
	return r, false
}

// plausible tells whether short names that are so many edits apart look alike at all: where half of the letters are others they do not.
// Letters that are missing, or too many, are no others: tpc for topic.
func plausible(a, b []rune, edits int) bool {
	switch {
	case edits == 1 && len(a) == 2 && len(b) == 2:
		return sameLetters(a, b)
	case edits > 1 && min(len(a), len(b)) <= 4:
		return edits < min(len(a), len(b)) && (within(a, b) || within(b, a))
	}
	return true
}

// within tells whether b has all letters of a in their order.
func within(a, b []rune) bool {
	for _, r := range b {
		if len(a) > 0 && a[0] == r {
			a = a[1:]
		}
	}
	return len(a) == 0
}

func sameLetters(a, b []rune) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// fold drops what people mix up without thinking of it: case and separators.
func fold(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range strings.TrimLeft(s, "-") {
		if r == '_' || r == '-' || r == ' ' {
			continue
		}
		out = append(out, unicode.ToLower(r))
	}
	return out
}

func common(a, b []rune) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that make b of a.
func distance(a, b []rune) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := boolInt(a[i-1] != b[j-1])
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
