package store

import "bytes"

// source gives changes in order of their keys, each key once.
type source interface {
	// next goes to the next change and gives it without its value; false: there is none. The key is valid until next is called again.
	next() (change, bool, error)
	// value appends the value of the change, once.
	value(to []byte) ([]byte, error)
	close()
}

// merge gives the changes of several sources in order of their keys, of each key that of the latest source.
type merge struct {
	change // the current one
	begun  bool
	from   []head // a heap: the least key first, of equal ones the latest
	n      int    // of sources
	err    error
}

// head is a source and its next change, without the value.
type head struct {
	change
	source
	age int
}

func (h *head) before(other *head) bool {
	c := bytes.Compare(h.change.key, other.change.key)
	return c < 0 || c == 0 && h.age > other.age
}

// add takes a source; its changes are later than those of the ones before.
func (m *merge) add(s source) error {
	c, ok, err := s.next()
	if err != nil || !ok {
		s.close()
		return err
	}
	m.from = append(m.from, head{c, s, m.n})
	m.n++
	for i := len(m.from) - 1; i > 0; {
		up := (i - 1) / 2
		if !m.from[i].before(&m.from[up]) {
			break
		}
		m.from[i], m.from[up] = m.from[up], m.from[i]
		i = up
	}
	return nil
}

// first gives the first key, before next is called.
func (m *merge) first() []byte {
	if len(m.from) == 0 {
		return nil
	}
	return m.from[0].change.key
}

// next goes to the next change; false at the end and after an error.
func (m *merge) next() bool {
	for len(m.from) > 0 {
		top := &m.from[0]
		fresh := !m.begun || !bytes.Equal(top.change.key, m.key)
		if fresh {
			m.begun = true
			m.key, m.set = append(m.key[:0], top.change.key...), top.set
			if m.value, m.err = top.source.value(m.value[:0]); m.err != nil {
				return false
			}
		}
		c, ok, err := top.source.next()
		if err != nil {
			m.err = err
			return false
		}
		if top.change = c; !ok {
			top.close()
			last := len(m.from) - 1
			m.from[0], m.from[last] = m.from[last], head{}
			m.from = m.from[:last]
		}
		m.down()
		if fresh {
			return true
		}
	}
	return false
}

// down puts the first of the heap where it belongs.
func (m *merge) down() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.from); child++ {
			if m.from[child].before(&m.from[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.from[i], m.from[least] = m.from[least], m.from[i]
		i = least
	}
}

// close ends the sources that are not at their end.
func (m *merge) close() {
	for i := range m.from {
		m.from[i].close()
	}
	m.from = nil
}
