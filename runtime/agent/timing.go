package agent

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"faust/runtime/topic"
)

// Headers by which time passes through topics: on a message, and on a record that has nothing else.
const (
	HeaderTime  = "faust-time"
	HeaderClock = "faust-clock"
)

// Timing is a way to tell the time of an agent's messages that somebody goes by.
type Timing struct {
	Name  string                                       // unique among the agent's
	Of    func(r *topic.Record) (at int64, known bool) // milliseconds since 1970; nil: the timestamp
	Idle  time.Duration                                // after which a partition that brings nothing is not waited for
	Reach time.Duration                                // how far time goes by itself then
}

// Clock follows the times of the messages of a partition, by what feeds it. Times are milliseconds since 1970, the smallest number there is stands for what is not
// known. Its methods may be called from any goroutine.
type Clock interface {
	// Note takes note of the time of a message from a feeder, if that is known; it and all before it are settled.
	Note(from int32, at int64)
	// Rest takes note that a feeder brings nothing for the time being, and how far time is there.
	Rest(from int32, at int64)
	// Time is how far time is in the partition.
	Time() int64
	// Resting tells whether no feeder brings anything.
	Resting() bool
}

// never is no time.
const never = -1 << 63

// moment is what one record says about time.
type moment struct {
	pos   uint64
	from  int32
	rests bool
	at    []int64 // by timing; never: nothing
}

// follow takes note of the time of a record that is settled. What is settled before its time waits for the rest.
func (p *Processor) follow(pos uint64, r *topic.Record) {
	if len(p.cfg.Clocks) == 0 {
		return
	}
	if p.tracker.shared {
		p.stamping.Lock()
		defer p.stamping.Unlock()
	}
	below := p.tracker.below()
	if len(p.early) == 0 && pos < below {
		var ok bool
		if p.last, ok = p.momentOf(r, p.last); ok {
			p.note(&p.last)
		}
		return
	}
	if m, ok := p.momentOf(r, moment{}); ok {
		m.pos = pos
		i, _ := slices.BinarySearchFunc(p.early, pos, func(e moment, pos uint64) int { return cmp.Compare(e.pos, pos) })
		p.early = slices.Insert(p.early, i, m)
	}
	n := 0
	for n < len(p.early) && p.early[n].pos < below {
		p.note(&p.early[n])
		n++
	}
	p.early = slices.Delete(p.early, 0, n)
}

// Recall takes note of the time of a record that an earlier processor of the partition has settled.
func (p *Processor) Recall(r *topic.Record) {
	if m, ok := p.momentOf(r, moment{}); ok {
		p.note(&m)
	}
}

// note tells the clocks what a record said.
func (p *Processor) note(m *moment) {
	for i, c := range p.cfg.Clocks {
		if m.rests {
			c.Rest(m.from, m.at[i])
		} else {
			c.Note(m.from, m.at[i])
		}
	}
}

// momentOf reads what a record says about time, into the memory of m.
func (p *Processor) momentOf(r *topic.Record, m moment) (moment, bool) {
	timings := p.cfg.Agent.Timings
	m.at = m.at[:0]
	for range timings {
		m.at = append(m.at, never)
	}
	if p.cfg.Passing {
		for _, h := range r.Headers {
			if h.Key == HeaderTime || h.Key == HeaderClock {
				ok := m.read(h.Value, timings)
				return m, ok
			}
		}
		return m, false
	}
	m.from, m.rests = 0, false
	for i := range timings {
		if of := timings[i].Of; of == nil {
			if r.Timestamp >= 0 {
				m.at[i] = r.Timestamp
			}
		} else if at, known := of(r); known {
			m.at[i] = at
		}
	}
	return m, true
}

// read reads the value of a header of time; false: it is none.
func (m *moment) read(b []byte, timings []Timing) bool {
	if len(b) == 0 {
		return false
	}
	m.rests = b[0] != 0
	from, n := binary.Uvarint(b[1:])
	if n <= 0 || from > 1<<31-1 {
		return false
	}
	m.from = int32(from)
	for b = b[1+n:]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return false
		}
		name := b[n : n+int(size)]
		at, k := binary.Varint(b[n+int(size):])
		if k <= 0 {
			return false
		}
		for i := range timings {
			if timings[i].Name == string(name) {
				m.at[i] = at
			}
		}
		b = b[n+int(size)+k:]
	}
	return true
}

// header writes how far time is in a partition whose messages are sent on.
func header(partition int32, timings []Timing, clocks []Clock) []byte {
	rests := byte(1)
	for _, c := range clocks {
		if !c.Resting() {
			rests = 0
		}
	}
	b := binary.AppendUvarint([]byte{rests}, uint64(partition))
	for i, c := range clocks {
		if at := c.Time(); at != never {
			b = append(binary.AppendUvarint(b, uint64(len(timings[i].Name))), timings[i].Name...)
			b = binary.AppendVarint(b, at)
		}
	}
	return b
}

// Stamp adds to the headers of a message that is sent on to the agent's Onward how far time is here. The event that it is sent from is not counted.
func (s *Stream) Stamp(headers []topic.Header) []topic.Header {
	clocks := s.p.cfg.Clocks
	if s.agent.Onward == "" || len(clocks) == 0 {
		return headers
	}
	same := s.stamp != nil
	for i, c := range clocks {
		at := c.Time()
		if i == len(s.stamped) {
			s.stamped = append(s.stamped, never)
		}
		same = same && s.stamped[i] == at
		s.stamped[i] = at
	}
	if !same {
		b := header(s.p.cfg.Partition.ID, s.agent.Timings, clocks)
		b[0] = 0 // here is a message
		s.stamp = []topic.Header{{Key: HeaderTime, Value: b}}
	}
	if len(headers) == 0 {
		return s.stamp
	}
	return append(slices.Clip(headers), s.stamp[0])
}

// ClockRecord is a record that says nothing but how far time is in the processor's partition, to one of the partitions of the agent's Onward.
func (p *Processor) ClockRecord(partition int32) topic.Record {
	return topic.Record{Topic: p.cfg.Agent.Onward, Partition: partition, Headers: []topic.Header{
		{Key: HeaderClock, Value: header(p.cfg.Partition.ID, p.cfg.Agent.Timings, p.cfg.Clocks)},
	}}
}

// IsClock tells a record that is about time only from messages.
func IsClock(r *topic.Record) bool {
	if len(r.Headers) != 1 || r.Value != nil {
		return false
	}
	return r.Headers[0].Key == HeaderClock
}
