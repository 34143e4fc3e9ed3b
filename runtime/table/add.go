package table

// Numbers says how the values of a table that are numbers are made. Size of such a value is 8.
type Numbers interface {
	// Of gives the number that a value is, or that keys have which are not there, for nil. false: it is none.
	Of(v Value) (n float64, ok bool)
	// Takes tells whether the table keeps a number.
	Takes(n float64) bool
	// Value makes a value of a number that the table keeps.
	Value(n float64) Value
	// Append appends the bytes of that value.
	Append(to []byte, n float64) []byte
}

// summed stands for the value of a sum that nobody has asked for yet.
const summed = mark(0)

type mark byte

func (mark) Append(to []byte) []byte { return to }
func (mark) Size() int               { return 8 }

// Add adds n to the number that a key of a table without windows has, as Update would, and gives the sum. false: nothing is done, since there are other things than numbers, or somebody else
// is at the key. A value is made of a sum only when somebody asks for it.
func (s *Shard) Add(key string, n float64, by *Effects) (sum float64, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(key)
	if err != nil || e.hand != nil && e.hand.owner != by {
		return 0, false, err
	}
	numbers := s.cfg.Table.Numbers
	was := e.value
	if was == summed {
		sum = e.sum
	} else if sum, ok = numbers.Of(was); !ok {
		return 0, false, nil
	}
	if sum += n; !numbers.Takes(sum) {
		return 0, false, nil
	}
	if e.hand == nil {
		s.own(e, by)
	}
	if was == summed {
		e.sum = sum
	} else {
		s.put(e, content{summed, sum})
	}
	return sum, true, nil
}

// settled is what the last settled event left of an entry; s.mu is held.
func (s *Shard) settled(e *entry) *content {
	if e.hand != nil {
		return &e.hand.before
	}
	return &e.content
}

// valueOf is the value of a content; s.mu is held.
func (s *Shard) valueOf(c *content) Value {
	if c.value == summed {
		c.value = s.cfg.Table.Numbers.Value(c.sum)
	}
	return c.value
}

// append appends the bytes of the value; false: there is none.
func (c *content) append(to []byte, numbers Numbers) ([]byte, bool) {
	switch c.value {
	case summed:
		return numbers.Append(to, c.sum), true
	case nil:
		return to, false
	}
	return c.value.Append(to), true
}

// size is what the value takes.
func (c *content) size() int {
	if c.value == nil {
		return 0
	}
	return c.value.Size()
}

// there is how many values there are: 1 or 0.
func (c *content) there() int {
	if c.value == nil {
		return 0
	}
	return 1
}
