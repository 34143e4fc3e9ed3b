package agent

import (
	"slices"
	"strconv"
	"strings"

	"faust/runtime/topic"
)

// LetterTopic is the topic of an agent's dead letters. It keeps them for ever: a letter has the time of its message, which may be older than any
// retention, and would be deleted as soon as it is written.
func LetterTopic(name string) topic.Topic {
	return topic.Topic{Name: name, Retention: -1, Internal: true}
}

// Letter is a dead letter: a message that its agent could not process, and why.
type Letter struct {
	Agent     string
	Record    topic.Record // the message as it was, at the place it came from
	Error     string       // one line
	Traceback string
	Version   int  // of the app
	Replays   int  // how often it was sent back before it failed again
	Short     bool // the broker did not take the message as well: it has to be read again at its place
}

// Limits of what a dead letter carries beside the record, in bytes: headers count for the broker's maximum message size.
const (
	maxErrorText = 1 << 10
	maxTraceback = 8 << 10
)

// deadLetter makes the record that goes to d's dead-letter topic: r with the headers that say what happened to it.
func deadLetter(d *Definition, r *topic.Record, err error, version int) topic.Record {
	headers, replays := original(r)
	var add []topic.Header
	if replays > 0 { // first, so that it is not taken for one of a dead letter around this one
		add = append(add, topic.Header{Key: HeaderReplays, Value: strconv.AppendInt(nil, int64(replays), 10)})
	}
	add = append(add, []topic.Header{
		{Key: HeaderError, Value: []byte(errorText(err))},
		{Key: HeaderTraceback, Value: []byte(traceback(err))},
		{Key: HeaderAgent, Value: []byte(d.Name)},
		{Key: HeaderTopic, Value: []byte(r.Topic)},
		{Key: HeaderPartition, Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		{Key: HeaderOffset, Value: strconv.AppendInt(nil, r.Offset, 10)},
		{Key: HeaderAppVersion, Value: strconv.AppendInt(nil, int64(version), 10)},
	}...)
	return topic.Record{
		Topic: d.DeadLetter.Name, Partition: topic.Any,
		Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		Headers: append(append(make([]topic.Header, 0, len(headers)+len(add)), headers...), add...),
	}
}

// original gives the headers that a message had before it was sent back, and how often that was.
func original(r *topic.Record) (headers []topic.Header, replays int) {
	if len(r.Headers) == 0 {
		return nil, 0
	}
	if _, replayed := r.Header(HeaderReplay); !replayed {
		return r.Headers, 0
	}
	headers = slices.Clone(r.Headers)
	for _, name := range []string{HeaderReplay, HeaderReplayApp, HeaderReplays} { // the last of each: Replay added them
		for i := len(headers) - 1; i >= 0; i-- {
			if headers[i].Key == name {
				if name == HeaderReplays {
					replays, _ = strconv.Atoi(string(headers[i].Value))
				}
				headers = slices.Delete(headers, i, i+1)
				break
			}
		}
	}
	return headers, max(replays, 1)
}

// ReadLetter takes a record of a dead-letter topic apart. false: it is no dead letter. The record shares its bytes.
func ReadLetter(r *topic.Record) (Letter, bool) {
	if _, replayed := r.Header(HeaderReplay); replayed { // sent back to somebody who reads the topic
		return Letter{}, false
	}
	own := map[string]string{}
	n := len(r.Headers)
	for ; n > 0; n-- { // those at the end; earlier ones of the same names belong to the message, which may be a dead letter itself
		h := r.Headers[n-1]
		if _, twice := own[h.Key]; twice || !slices.Contains(letterHeaders, h.Key) {
			break
		}
		own[h.Key] = string(h.Value)
	}
	partition, wrongPartition := strconv.ParseInt(own[HeaderPartition], 10, 32)
	offset, wrongOffset := strconv.ParseInt(own[HeaderOffset], 10, 64)
	if wrongPartition != nil || wrongOffset != nil || own[HeaderAgent] == "" || own[HeaderTopic] == "" {
		return Letter{}, false
	}
	l := Letter{Agent: own[HeaderAgent], Error: own[HeaderError], Traceback: own[HeaderTraceback], Record: *r}
	l.Version, _ = strconv.Atoi(own[HeaderAppVersion])
	l.Replays, _ = strconv.Atoi(own[HeaderReplays])
	_, whole := own[HeaderTraceback]
	l.Short = !whole
	l.Record.Topic, l.Record.Partition, l.Record.Offset = own[HeaderTopic], int32(partition), offset
	l.Record.Headers = r.Headers[:n:n]
	return l, true
}

var letterHeaders = []string{HeaderError, HeaderTraceback, HeaderAgent, HeaderTopic, HeaderPartition, HeaderOffset, HeaderAppVersion, HeaderReplays}

// Replay makes the record that sends a message back to where it came from: for the agent that failed, of the app whose group that is; every other agent
// passes over it. from is the message: that of the letter, or as it was read again. Nobody waits for an answer to it any more.
func (l *Letter) Replay(group string, from *topic.Record) topic.Record {
	headers, _ := original(from)
	out := topic.Record{Topic: l.Record.Topic, Partition: l.Record.Partition, Key: from.Key, Value: from.Value, Timestamp: from.Timestamp}
	for i, h := range headers {
		switch h.Key {
		case HeaderReplyTo, HeaderCorrelation:
			continue
		case HeaderAgent: // of an ask: whom it was for
			if i+1 < len(headers) && headers[i+1].Key == HeaderReplyTo {
				continue
			}
		}
		out.Headers = append(out.Headers, h)
	}
	out.Headers = append(out.Headers, topic.Header{Key: HeaderReplay, Value: []byte(l.Agent)}, topic.Header{Key: HeaderReplayApp, Value: []byte(group)},
		topic.Header{Key: HeaderReplays, Value: strconv.AppendInt(nil, int64(l.Replays)+1, 10)})
	return out
}

// Transient tells whether a header is about one delivery of a message, so that it does not go along when the message is sent on.
func Transient(name string) bool {
	switch name {
	case HeaderReplyTo, HeaderCorrelation, HeaderAgent, HeaderReplay, HeaderReplayApp, HeaderReplays, HeaderTime, HeaderClock, HeaderWindow:
		return true
	}
	return false
}

// mine tells whether the record at the head of the batch is for this agent, as all are but those that are about time only, and those that were sent back for
// another one: this one had them already.
func (s *Stream) mine() bool {
	r := &s.batch.records[s.at]
	if IsClock(r) {
		return false
	}
	name, replayed := r.Header(HeaderReplay)
	if !replayed {
		return true
	}
	group, named := r.Header(HeaderReplayApp)
	return string(name) == s.agent.Name && (!named || s.p.cfg.Group == "" || string(group) == s.p.cfg.Group)
}

// pass takes the records at the head of the batch that are for others, as done.
func (s *Stream) pass() {
	for s.at < len(s.batch.records) && !s.batch.plain && !s.mine() {
		s.passed.Store(s.passed.Load() + 1) // first: what is counted of both is never too much
		s.taken.Store(s.taken.Load() + 1)
		r, pos := &s.batch.records[s.at], s.batch.position(s.at)
		s.p.done(pos, r.Offset)
		s.p.follow(pos, r)
		s.at++
	}
}

// errorText is err on one line of bounded length.
func errorText(err error) string {
	return bounded(strings.Join(strings.Fields(err.Error()), " "), maxErrorText)
}

// IsAnswer tells an answer to a request from other records.
func IsAnswer(r *topic.Record) bool {
	_, correlated := r.Header(HeaderCorrelation)
	_, asks := r.Header(HeaderReplyTo)
	return correlated && !asks
}

// IsLetter tells a dead letter from other records.
func IsLetter(r *topic.Record) bool {
	_, made := r.Header(HeaderAgent)
	_, positioned := r.Header(HeaderOffset)
	return made && positioned
}
