package table

import (
	"cmp"
	"slices"
)

// recent are entries that the store may not have as they are, each once; after an undo also others. Those who read page after page find what they need without looking
// through all of them: but for the last few they are in the order of their keys.
type recent struct {
	list    []*entry
	ordered int // so many of list, from its beginning on
}

func (r *recent) add(e *entry) { r.list = append(r.list, e) }

// keep drops the entries for which f is false.
func (r *recent) keep(f func(e *entry) bool) {
	kept, ordered := r.list[:0], 0
	for i, e := range r.list {
		if !f(e) {
			continue
		}
		if kept = append(kept, e); i < r.ordered {
			ordered++
		}
	}
	clear(r.list[len(kept):])
	r.list, r.ordered = kept, ordered
}

// order puts the last ones in their places, if they are more than a few.
func (r *recent) order() {
	if len(r.list)-r.ordered <= 8+r.ordered/32 {
		return
	}
	first, last := r.list[:r.ordered], r.list[r.ordered:]
	slices.SortFunc(last, byKey)
	all := make([]*entry, 0, len(r.list))
	for len(first) > 0 && len(last) > 0 {
		least := &first
		if byKey(last[0], first[0]) < 0 {
			least = &last
		}
		all, *least = append(all, (*least)[0]), (*least)[1:]
	}
	all = append(append(all, first...), last...)
	r.list, r.ordered = all, len(all)
}

func byKey(a, b *entry) int { return cmp.Compare(a.key, b.key) }
