package app

import (
	"time"

	"faust/runtime/topic"
)

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
	MaxFailures         int
	WebPort             int
	WebBind             string
	WebAdvertise        string
	WebToken            string
	WebEnabled          bool
	LogLevel            string
	LogFormat           string
	LogFile             string
	Grace               time.Duration
	Timezone            *time.Location
	Strict              bool

	origin map[string]Origin
}

// Origin is where a value came from: "default", "app.configure (app.lua:3)", "FAUST_WEB_PORT", "--web-port", "--env-file .env".
type Origin string

// GroupID is the consumer group, and the prefix of every internal topic: id, from version 2 on id-vN.
func (s *Settings) GroupID() string { panic("outline") }

// Internal names an internal topic: Internal("track_countries", "dead-letter").
func (s *Settings) Internal(parts ...string) string { panic("outline") }

// Origin tells where the setting of that name (web_port) came from, and whether it was set at all.
func (s *Settings) Origin(name string) (Origin, bool) { panic("outline") }

var _ = topic.Any

// Layers are the sources of settings in order of strength, strongest first.
type Layers []Layer

// Layer is one source of settings: name (web_port) to text.
type Layer struct {
	Origin func(name string) Origin
	Values map[string]string
}
