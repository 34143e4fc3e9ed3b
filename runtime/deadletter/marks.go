package deadletter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"faust/runtime/broker"
)

// marks are the offsets of one partition that are dealt with: all below an offset, and single spans above it.
type marks struct {
	below int64
	spans []span // sorted, apart from each other, above below
}

// span is the offsets from .. to-1.
type span struct{ from, to int64 }

// format begins the text of marks, so that a later version can tell them.
const format = "1 "

// readMarks reads what text writes.
func readMarks(m broker.Mark) (marks, error) {
	out := marks{below: m.Offset}
	if m.Text == "" {
		return out, nil
	}
	rest, ok := strings.CutPrefix(m.Text, format)
	if !ok {
		return out, fmt.Errorf("the marks of dead letters were written by another version of faust: '%.20s'", m.Text)
	}
	at := m.Offset
	for _, part := range strings.Split(rest, ",") {
		gap, size, long := strings.Cut(part, ".")
		g, err := strconv.ParseUint(gap, 36, 62)
		n := uint64(1)
		if err == nil && long {
			n, err = strconv.ParseUint(size, 36, 62)
		}
		if err != nil {
			return out, fmt.Errorf("the marks of dead letters cannot be read: '%.20s'", m.Text)
		}
		s := span{at + int64(g), at + int64(g) + int64(n)}
		out.spans = append(out.spans, s)
		at = s.to
	}
	return out, nil
}

// mark writes the marks as a group remembers them: the gaps before the spans and their lengths, in base 36, 1 left out. false: the text gets too long.
func (m marks) mark() (broker.Mark, bool) {
	var b strings.Builder
	at := m.below
	for i, s := range m.spans {
		b.WriteString([2]string{format, ","}[min(i, 1)])
		b.WriteString(strconv.FormatInt(s.from-at, 36))
		if n := s.to - s.from; n > 1 {
			b.WriteString("." + strconv.FormatInt(n, 36))
		}
		at = s.to
	}
	return broker.Mark{Offset: m.below, Text: b.String()}, b.Len() <= broker.MaxMarkText
}

// has tells whether all of s is dealt with.
func (m marks) has(s span) bool {
	if s.to <= m.below {
		return true
	}
	s.from = max(s.from, m.below)
	i, _ := slices.BinarySearchFunc(m.spans, s.from, func(have span, from int64) int { return cmp.Compare(have.to, from+1) })
	return i < len(m.spans) && m.spans[i].from <= s.from && s.to <= m.spans[i].to
}

// add makes marks that have more.
func (m marks) add(more ...span) marks {
	all := slices.Concat(m.spans, more)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := marks{below: m.below}
	for _, s := range all {
		last := len(out.spans) - 1
		switch {
		case s.from <= out.below:
			out.below = max(out.below, s.to)
		case last >= 0 && s.from <= out.spans[last].to:
			out.spans[last].to = max(out.spans[last].to, s.to)
		default:
			out.spans = append(out.spans, s)
		}
	}
	for len(out.spans) > 0 && out.spans[0].from <= out.below {
		out.below, out.spans = max(out.below, out.spans[0].to), out.spans[1:]
	}
	return out
}
