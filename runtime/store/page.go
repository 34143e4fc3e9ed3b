package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
)

// change is one that a load has taken. Set is false for a deletion.
type change struct {
	key, value []byte
	set        bool
}

// appendChange appends a change as pages and runs have it, with a key of three parts: the key's length, the value's plus one or 0 for a deletion, key and value.
func appendChange(to []byte, begin []byte, tag byte, key, value []byte, set bool) []byte {
	to = binary.AppendUvarint(to, uint64(len(begin)+1+len(key)))
	n := 0
	if set {
		n = len(value) + 1
	}
	to = binary.AppendUvarint(to, uint64(n))
	return append(append(append(append(to, begin...), tag), key...), value...)
}

// maxLengths is how long the two lengths are at most.
const maxLengths = 2 * binary.MaxVarintLen64

// lengths reads what a change begins with: where its key begins, where its value, and where it ends. At most maxLengths bytes are looked at; 0: these are none.
func lengths(b []byte) (key, value, end int, set bool) {
	k, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, 0, false
	}
	v, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return 0, 0, 0, false
	}
	key = n + m
	value = key + int(k)
	return key, value, value + max(int(v)-1, 0), v > 0
}

// page is what a load has in memory: changes one after the other, and an index by which they are sorted.
type page struct {
	data  []byte
	index []place
}

// place is where a change is and how long, and the beginning of its key after what all keys of the page begin with.
type place struct {
	key   uint64
	at, n uint32
}

// pages are those that no load needs any more.
var pages = sync.Pool{New: func() any { return &page{} }}

func newPage() *page { return pages.Get().(*page) }

// free gives the page to another load, unless it holds more memory than a page should.
func (p *page) free() {
	p.reset()
	if cap(p.data) <= 2*usualLoad.memory {
		pages.Put(p)
	}
}

func (p *page) reset() { p.data, p.index = p.data[:0], p.index[:0] }

func (p *page) add(begin []byte, tag byte, key, value []byte, set bool) {
	at := len(p.data)
	p.data = appendChange(p.data, begin, tag, key, value, set)
	p.index = append(p.index, place{at: uint32(at), n: uint32(len(p.data) - at)})
}

// raw gives the bytes of a change.
func (p *page) raw(at place) []byte { return p.data[at.at:][:at.n] }

func (p *page) key(at place) []byte {
	b := p.raw(at)
	key, value, _, _ := lengths(b)
	return b[key:value]
}

// sort puts the changes in order of their keys and leaves the last one of each. It gives the bytes they take.
func (p *page) sort() int {
	skip := p.common()
	for i := range p.index {
		p.index[i].key = beginning(p.key(p.index[i])[skip:])
	}
	slices.SortFunc(p.index, func(a, b place) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		if c := bytes.Compare(p.key(a)[skip:], p.key(b)[skip:]); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
	size, kept := 0, 0
	for i, at := range p.index {
		if i+1 < len(p.index) && at.key == p.index[i+1].key && bytes.Equal(p.key(at), p.key(p.index[i+1])) {
			continue
		}
		size += int(at.n)
		p.index[kept] = at
		kept++
	}
	p.index = p.index[:kept]
	return size
}

// common is how many bytes all keys begin with.
func (p *page) common() int {
	if len(p.index) == 0 {
		return 0
	}
	first := p.key(p.index[0])
	n := len(first)
	for _, at := range p.index[1:] {
		key := p.key(at)
		n = min(n, len(key))
		for i := range n {
			if key[i] != first[i] {
				n = i
				break
			}
		}
	}
	return n
}

// beginning is a number in the order of what begins with other bytes; those of fewer than eight are equal to some that are longer.
func beginning(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// last gives the last key of a sorted page; nil: it has none.
func (p *page) last() []byte {
	if len(p.index) == 0 {
		return nil
	}
	return p.key(p.index[len(p.index)-1])
}

// all gives the changes of a sorted page.
func (p *page) all() source { return &pageReader{page: p} }

type pageReader struct {
	page *page
	i    int
	left []byte // the value
}

func (r *pageReader) next() (change, bool, error) {
	if r.i == len(r.page.index) {
		return change{}, false, nil
	}
	b := r.page.raw(r.page.index[r.i])
	r.i++
	key, value, _, set := lengths(b)
	r.left = b[value:]
	return change{key: b[key:value], set: set}, true, nil
}

func (r *pageReader) value(to []byte) ([]byte, error) { return append(to, r.left...), nil }

func (r *pageReader) close() {}
