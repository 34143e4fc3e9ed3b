package app

import (
	"fmt"
	"strings"
	"time"
)

// What may be promised of events: processing_guarantee.
const (
	AtLeastOnce = "at_least_once"
	ExactlyOnce = "exactly_once"
)

// exactInterval is the default of commit_interval under exactly_once, where what an event sends is seen no earlier than the next commit.
const exactInterval = 100 * time.Millisecond

// Settings are the values in force and where each came from. Resolve makes them.
type Settings struct {
	ID                  string
	Version             int
	Broker              string // "" or "embedded:": the embedded broker; "embedded:inprocess"; kafka://..., kafka+tls://...
	BrokerUser          string
	BrokerPassword      string
	BrokerCA            string
	BrokerCert          string
	BrokerKey           string
	Datadir             string
	TopicPartitions     int32
	ReplicationFactor   int16
	ProcessingGuarantee string
	CommitInterval      time.Duration
	AutoOffsetReset     string
	SessionTimeout      time.Duration
	StandbyReplicas     int
	MaxMessageBytes     int
	Compression         string // auto, none, gzip, snappy, lz4 or zstd
	MaxFailures         int
	WebPort             int
	WebBind             string
	WebAdvertise        string // "": derived from WebBind
	WebToken            string
	WebEnabled          bool
	LogLevel            string // debug, info, warn, error, and levels of parts: see Levels
	LogFormat           string // auto, text, json, logfmt
	LogFile             string // "": standard error
	Grace               time.Duration
	Timezone            *time.Location
	Strict              bool

	values []Value
}

// Origin is where a value came from: "default", "app.configure (app.lua:3)", "FAUST_WEB_PORT", "--web-port", "--env-file .env".
type Origin string

// DefaultOrigin is the origin of what nobody set.
const DefaultOrigin Origin = "default"

// Value is the text of one setting in force. Secret values, and the password of a broker URL, are shown as ***.
type Value struct {
	Name   string
	Text   string
	Origin Origin
}

// Layers are the sources of settings in order of strength, strongest first.
type Layers []Layer

// Layer is one source of settings: name (web_port) to text. A value whose origin is DefaultOrigin counts as not set.
type Layer struct {
	Origin func(name string) Origin
	Values map[string]string
}

// LayerOf makes a layer whose values all have one origin.
func LayerOf(origin Origin, values map[string]string) Layer {
	return Layer{Origin: func(string) Origin { return origin }, Values: values}
}

// Resolve takes every setting from the strongest layer that has it, the default otherwise, and checks all values. The error is an
// *UnknownSettingError or a *SettingError.
func Resolve(layers ...Layer) (*Settings, error) {
	for _, l := range layers {
		if err := l.known(); err != nil {
			return nil, err
		}
	}
	s := &Settings{}
	for _, d := range schema() {
		v := Value{d.Name, d.Default, DefaultOrigin}
		for _, l := range layers {
			if text, ok := l.Values[d.Name]; ok {
				v.Text, v.Origin = text, l.origin(d.Name)
				break
			}
		}
		if err := d.set(s, v.Text); err != nil {
			return nil, d.problem(v, err)
		}
		v.Text = d.shown(v.Text)
		s.values = append(s.values, v)
	}
	s.adapt()
	return s, nil
}

// adapt gives settings that nobody set the defaults that follow from others.
func (s *Settings) adapt() {
	for i := range s.values {
		if v := &s.values[i]; v.Name == "commit_interval" && v.Origin == DefaultOrigin && s.ProcessingGuarantee == ExactlyOnce {
			s.CommitInterval, v.Text = exactInterval, exactInterval.String()
		}
	}
}

// known refuses names that are no settings.
func (l Layer) known() error {
	for _, name := range sortedKeys(l.Values) {
		if _, ok := Lookup(name); !ok {
			return &UnknownSettingError{Name: name, Origin: l.origin(name), Known: SettingNames()}
		}
	}
	return nil
}

func (l Layer) origin(name string) Origin {
	if l.Origin == nil {
		return DefaultOrigin
	}
	return l.Origin(name)
}

// GroupID is the consumer group, and the prefix of every internal topic: id, from version 2 on id-vN.
func (s *Settings) GroupID() string {
	if s.Version >= 2 {
		return fmt.Sprintf("%s-v%d", s.ID, s.Version)
	}
	return s.ID
}

// Internal names an internal topic: Internal("track_countries", "dead-letter").
func (s *Settings) Internal(parts ...string) string {
	return s.GroupID() + "-" + strings.Join(parts, "-")
}

// Owner is the inverse of Internal for topics of one kind: Owner("simple-track_countries-dead-letter", "dead-letter") is track_countries. false: the name is none of
// this app's, or of another kind. Another app whose id begins with this one's and '-' has names like that as well.
func (s *Settings) Owner(topic, kind string) (string, bool) {
	rest, ours := strings.CutPrefix(topic, s.GroupID()+"-")
	owner, is := strings.CutSuffix(rest, "-"+kind)
	return owner, ours && is && owner != ""
}

// Origin tells where the setting of that name (web_port) came from, and whether it was set at all.
func (s *Settings) Origin(name string) (Origin, bool) {
	for _, v := range s.values {
		if v.Name == name {
			return v.Origin, v.Origin != DefaultOrigin
		}
	}
	return DefaultOrigin, false
}

// Value gives the text in force of the setting of that name, secrets as ***.
func (s *Settings) Value(name string) (Value, bool) {
	for _, v := range s.values {
		if v.Name == name {
			return v, true
		}
	}
	return Value{}, false
}

// Values gives all settings in the order of the schema, secrets as ***.
func (s *Settings) Values() []Value { return append([]Value(nil), s.values...) }

// UnknownSettingError is a name that is no setting. Known lists the names to suggest from.
type UnknownSettingError struct {
	Name   string
	Origin Origin
	Known  []string
}

func (e *UnknownSettingError) Error() string {
	return fmt.Sprintf("unknown setting '%s' (%s)", e.Name, e.Origin)
}

// SettingError is a value that its setting cannot have.
type SettingError struct {
	Name   string
	Value  string // *** when the setting is secret
	Origin Origin
	Reason string // expected a port from 0 to 65535
	Cause  error  // what Reason is the text of
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("setting '%s' cannot be '%s' (%s): %s", e.Name, e.Value, e.Origin, e.Reason)
}

func (e *SettingError) Unwrap() error { return e.Cause }
