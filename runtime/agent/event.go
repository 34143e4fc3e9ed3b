package agent

import (
	"slices"

	"faust/runtime/topic"
)

// Event is the record in hand and what it has done so far. It is valid until it is settled; after that it may be used again
// for another record, unless the agent acknowledges by hand.
type Event struct {
	*topic.Record

	stream *Stream
	held   *held
	pos    uint64
	ask    answer
	gone   bool  // settled already, or given to a newer body
	chore  Chore // nil: it is a record
}

// answer is where an event stands that may be an ask.
type answer uint8

const (
	unknown answer = iota
	none           // no ask
	wanted
	given
)

// held is what the events in hand have sent, in order, and what else they did.
type held struct {
	sends   []heldSend
	last    uint64  // id given last
	effects Effects // nil: none yet
}

// undo takes back what the events did beside sending.
func (h *held) undo() {
	if h.effects != nil {
		h.effects.Undo()
	}
}

type heldSend struct {
	record topic.Record
	event  *Event
	id     uint64
}

// maxKept bounds the memory that a finished unit leaves behind for the next.
const maxKept = 1024

// drop forgets everything, without keeping bytes alive.
func (h *held) drop() {
	if cap(h.sends) > maxKept {
		h.sends = nil
		return
	}
	clear(h.sends)
	h.sends = h.sends[:0]
}

// Send holds r back until the event is settled; it is dropped if the event fails. r's slices belong to the event.
func (e *Event) Send(r topic.Record) { e.Hold(r) }

// Hold is Send that tells how to take the record back with Recall.
func (e *Event) Hold(r topic.Record) (id uint64) {
	if e.held == nil {
		e.held = &held{}
	}
	e.held.last++
	e.held.sends = append(e.held.sends, heldSend{record: r, event: e, id: e.held.last})
	return e.held.last
}

// Effects gives what collects the other effects of the events in hand, which is made if there is none yet: events that are settled together have it in common,
// and it is used again for later ones.
func (e *Event) Effects(make func() Effects) Effects {
	if e.held == nil {
		e.held = &held{}
	}
	if e.held.effects == nil {
		e.held.effects = make()
	}
	return e.held.effects
}

// Recall takes back what Hold held, as long as the event is in hand: it will not be sent. false: it is not held any more.
func (e *Event) Recall(id uint64) bool {
	if e.held == nil {
		return false
	}
	for i := len(e.held.sends) - 1; i >= 0; i-- { // what is taken back was sent last as a rule
		if send := &e.held.sends[i]; send.id == id && send.event == e {
			e.held.sends = slices.Delete(e.held.sends, i, i+1)
			return true
		}
	}
	return false
}

// extract takes e's own sends out of those of its unit.
func (e *Event) extract() held {
	var own []heldSend
	others := e.held.sends[:0]
	for _, send := range e.held.sends {
		if send.event == e {
			own = append(own, send)
		} else {
			others = append(others, send)
		}
	}
	clear(e.held.sends[len(others):])
	e.held.sends = others
	return held{sends: own}
}

// Reply answers the ask that this event is, if it is one and nothing answered yet; held like Send.
func (e *Event) Reply(value []byte) {
	if e.Wants() {
		e.reply(value, "")
	}
}

// Wants tells whether the event is an ask of this agent that has no answer yet. A request whose HeaderAgent names another agent is none.
func (e *Event) Wants() bool {
	if e.ask == unknown {
		e.ask = none
		if _, asks := e.Header(HeaderReplyTo); asks && e.asked() {
			e.ask = wanted
		}
	}
	return e.ask == wanted
}

// asked tells whether the request is for this agent: other agents that read the topic must not answer it.
func (e *Event) asked() bool {
	if e.stream == nil {
		return true
	}
	name, named := e.Header(HeaderAgent)
	return !named || string(name) == e.stream.agent.Name
}

// reply holds the answer back; failure is the text of the error that the agent failed with.
func (e *Event) reply(value []byte, failure string) {
	e.ask = given
	to, _ := e.Header(HeaderReplyTo)
	r := topic.Record{Topic: string(to), Partition: topic.Any, Value: value}
	if id, ok := e.Header(HeaderCorrelation); ok {
		r.Headers = append(r.Headers, topic.Header{Key: HeaderCorrelation, Value: id})
	}
	if failure != "" {
		r.Headers = append(r.Headers, topic.Header{Key: HeaderError, Value: []byte(failure)})
	}
	e.Send(r)
}
