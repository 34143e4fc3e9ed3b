package app

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Setting describes one setting: what the command line, the environment, app.configure and the help page know of it.
type Setting struct {
	Name    string
	Kind    string // text, int, bool, duration, size
	Default string // as it would be written; what it looks like when derived is in Help
	Flag    string // --web-port; "": none
	Short   string // p
	Negated string // the flag that turns a bool off: --without-web
	Env     string // FAUST_WEB_PORT
	Help    string
	Meta    string // what stands for the value in help: PORT
	Choices []string
	Secret  bool
	set     func(s *Settings, text string) error
}

// Schema gives all settings in the order in which they are shown.
func Schema() []Setting { return schema() }

// SettingNames gives the names of all settings, sorted.
func SettingNames() []string {
	var names []string
	for _, d := range schema() {
		names = append(names, d.Name)
	}
	sort.Strings(names)
	return names
}

// Lookup finds the setting of that name.
func Lookup(name string) (Setting, bool) {
	for _, d := range schema() {
		if d.Name == name {
			return d, true
		}
	}
	return Setting{}, false
}

func schema() []Setting {
	all := append(appSettings(), brokerSettings()...)
	all = append(all, processingSettings()...)
	all = append(all, webSettings()...)
	all = append(all, workerSettings()...)
	for i := range all {
		if all[i].Env == "" {
			all[i].Env = "FAUST_" + strings.ToUpper(all[i].Name)
		}
	}
	return all
}

func appSettings() []Setting {
	return []Setting{
		{Name: "id", Kind: "text", Default: "app", Help: "Name of the app, of its consumer group and the prefix of its internal topics.",
			set: func(s *Settings, t string) error { return put(&s.ID, t, parseID) }},
		{Name: "version", Kind: "int", Default: "1", Help: "Version of the app; a new one starts afresh.",
			set: func(s *Settings, t string) error { return put(&s.Version, t, whole[int](1, 1<<30)) }},
		{Name: "datadir", Kind: "text", Default: "./.faust", Flag: "datadir", Short: "D", Meta: "DIR", Help: "where state is kept",
			set: func(s *Settings, t string) error { return put(&s.Datadir, t, nonEmpty) }},
	}
}

func brokerSettings() []Setting {
	return []Setting{
		{Name: "broker", Kind: "text", Default: "embedded:", Flag: "broker", Env: "FAUST_BROKER_URL", Meta: "URL", Help: "kafka://host:9092, kafka+tls://..., embedded:",
			set: func(s *Settings, t string) error { return put(&s.Broker, t, parseBroker) }},
		{Name: "broker_user", Kind: "text", Help: "SASL user, if not in the URL.",
			set: func(s *Settings, t string) error { return put(&s.BrokerUser, t, anyText) }},
		{Name: "broker_password", Kind: "text", Secret: true, Help: "SASL password, if not in the URL.",
			set: func(s *Settings, t string) error { return put(&s.BrokerPassword, t, anyText) }},
		{Name: "broker_ca", Kind: "text", Help: "File of the certificate authority that signed the broker's certificate.",
			set: func(s *Settings, t string) error { return put(&s.BrokerCA, t, anyText) }},
		{Name: "broker_cert", Kind: "text", Help: "File of the client certificate.",
			set: func(s *Settings, t string) error { return put(&s.BrokerCert, t, anyText) }},
		{Name: "broker_key", Kind: "text", Help: "File of the client certificate's key.",
			set: func(s *Settings, t string) error { return put(&s.BrokerKey, t, anyText) }},
	}
}

func processingSettings() []Setting {
	guarantees := []string{AtLeastOnce, ExactlyOnce}
	resets := []string{"earliest", "latest"}
	compressions := []string{"auto", "none", "gzip", "snappy", "lz4", "zstd"}
	return []Setting{
		{Name: "topic_partitions", Kind: "int", Default: "8", Help: "Partitions of the topics that the app creates.",
			set: func(s *Settings, t string) error { return put(&s.TopicPartitions, t, whole[int32](1, 10000)) }},
		{Name: "replication_factor", Kind: "int", Default: "-1", Help: "Copies of the topics that the app creates; -1: the broker's default.",
			set: func(s *Settings, t string) error { return put(&s.ReplicationFactor, t, parseReplication) }},
		{Name: "processing_guarantee", Kind: "text", Default: "at_least_once", Choices: guarantees, Help: "at_least_once or exactly_once.",
			set: func(s *Settings, t string) error { return put(&s.ProcessingGuarantee, t, oneOf(guarantees)) }},
		{Name: "commit_interval", Kind: "duration", Default: "1s", Help: "Time between two commits; under exactly_once 100ms.",
			set: func(s *Settings, t string) error {
				return put(&s.CommitInterval, t, span(time.Millisecond, 10*time.Minute))
			}},
		{Name: "auto_offset_reset", Kind: "text", Default: "earliest", Choices: resets, Help: "Where a new group starts: earliest or latest.",
			set: func(s *Settings, t string) error { return put(&s.AutoOffsetReset, t, oneOf(resets)) }},
		{Name: "session_timeout", Kind: "duration", Default: "10s", Help: "How long a silent worker keeps its partitions.",
			set: func(s *Settings, t string) error {
				return put(&s.SessionTimeout, t, span(time.Second, 30*time.Minute))
			}},
		{Name: "standby_replicas", Kind: "int", Default: "0", Help: "Copies of each table's partitions on other workers.",
			set: func(s *Settings, t string) error { return put(&s.StandbyReplicas, t, whole[int](0, 100)) }},
		{Name: "max_message_bytes", Kind: "size", Default: "1MiB", Help: "Largest message that is sent.",
			set: func(s *Settings, t string) error { return put(&s.MaxMessageBytes, t, parseMessageBytes) }},
		{Name: "compression", Kind: "text", Default: "auto", Choices: compressions, Help: "How messages are compressed; auto: snappy, and none to a broker on this machine.",
			set: func(s *Settings, t string) error { return put(&s.Compression, t, oneOf(compressions)) }},
		{Name: "max_failures", Kind: "int", Default: "100", Help: "Failed events in a row that pause a partition.",
			set: func(s *Settings, t string) error { return put(&s.MaxFailures, t, whole[int](1, 1<<30)) }},
	}
}

func webSettings() []Setting {
	return []Setting{
		{Name: "web_port", Kind: "int", Default: "6066", Flag: "web-port", Short: "p", Meta: "PORT", Help: "port of the web server; 0: any free one",
			set: func(s *Settings, t string) error { return put(&s.WebPort, t, parsePort) }},
		{Name: "web_bind", Kind: "text", Default: "127.0.0.1", Flag: "web-bind", Meta: "ADDR", Help: "address the web server listens on",
			set: func(s *Settings, t string) error { return put(&s.WebBind, t, parseHost) }},
		{Name: "web_advertise", Kind: "text", Flag: "web-advertise", Meta: "ADDR", Help: "address for other workers (from web-bind)",
			set: func(s *Settings, t string) error { return put(&s.WebAdvertise, t, parseAdvertise) }},
		{Name: "web_token", Kind: "text", Secret: true, Help: "Token that is asked for below /_/ of the web port: of other machines, and of who acts on the worker.",
			set: func(s *Settings, t string) error { return put(&s.WebToken, t, anyText) }},
		{Name: "web_enabled", Kind: "bool", Default: "true", Negated: "without-web", Help: "no web server",
			set: func(s *Settings, t string) error { return put(&s.WebEnabled, t, ParseBool) }},
	}
}

func workerSettings() []Setting {
	formats := []string{"auto", "text", "json", "logfmt"}
	return []Setting{
		{Name: "loglevel", Kind: "text", Default: "warn", Flag: "loglevel", Short: "l", Meta: "LEVEL", Choices: logLevels(), Help: "debug, info, warn, error; of a part: warn,agent.NAME=debug",
			set: func(s *Settings, t string) error { return put(&s.LogLevel, t, parseLogLevel) }},
		{Name: "log_format", Kind: "text", Default: "auto", Flag: "log-format", Meta: "FORMAT", Choices: formats, Help: "auto, text, json, logfmt",
			set: func(s *Settings, t string) error { return put(&s.LogFormat, t, oneOf(formats)) }},
		{Name: "logfile", Kind: "text", Flag: "logfile", Short: "f", Meta: "FILE", Help: "log to this file, not to stderr",
			set: func(s *Settings, t string) error { return put(&s.LogFile, t, anyText) }},
		{Name: "grace", Kind: "duration", Default: "20s", Flag: "grace", Meta: "TIME", Help: "time that a stop may take",
			set: func(s *Settings, t string) error { return put(&s.Grace, t, span(0, 24*time.Hour)) }},
		{Name: "timezone", Kind: "text", Default: "UTC", Help: "Time zone of crontabs.",
			set: func(s *Settings, t string) error { return put(&s.Timezone, t, parseZone) }},
		{Name: "strict", Kind: "bool", Default: "true", Negated: "no-strict", Help: "undefined globals are nil, not errors",
			set: func(s *Settings, t string) error { return put(&s.Strict, t, ParseBool) }},
	}
}

// problem says of which setting err is, and shows no secret.
func (d *Setting) problem(v Value, err error) error {
	return &SettingError{Name: d.Name, Value: d.shown(v.Text), Origin: v.Origin, Reason: err.Error(), Cause: err}
}

// shown is what may be shown of a value.
func (d *Setting) shown(text string) string {
	if d.Secret && text != "" {
		return "***"
	}
	return redactURL(text)
}

// Hides tells whether what is secret in a value of the setting is not shown.
func (d *Setting) Hides() bool { return d.Secret || d.Name == "broker" }

// redactURL hides what stands between user and host of a URL, also of one whose scheme was forgotten.
func redactURL(text string) string {
	scheme, rest := "", text
	if i := strings.Index(text, "://"); i >= 0 {
		scheme, rest = text[:i+3], text[i+3:]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return text
	}
	user, _, secret := strings.Cut(rest[:at], ":")
	if scheme == "" && !secret {
		return text
	}
	return scheme + user + ":***" + rest[at:]
}

// put parses text into target.
func put[T any](target *T, text string, parse func(string) (T, error)) error {
	v, err := parse(strings.TrimSpace(text))
	if err != nil {
		return err
	}
	*target = v
	return nil
}

func anyText(text string) (string, error) { return text, nil }

func nonEmpty(text string) (string, error) {
	if text == "" {
		return "", errors.New("it may not be empty")
	}
	return text, nil
}

// whole parses integers from low to high.
func whole[T int | int16 | int32](low, high int64) func(string) (T, error) {
	return func(text string) (T, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < low || n > high {
			if high >= 1<<30 {
				return 0, fmt.Errorf("expected a whole number, %d or more", low)
			}
			return 0, fmt.Errorf("expected a whole number from %d to %d", low, high)
		}
		return T(n), nil
	}
}

// span parses durations from low to high.
func span(low, high time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := ParseDuration(text)
		if err != nil {
			return 0, err
		}
		if d < low || d > high {
			return 0, fmt.Errorf("expected a duration from %s to %s", FormatDuration(low), FormatDuration(high))
		}
		return d, nil
	}
}

func oneOf(choices []string) func(string) (string, error) {
	return func(text string) (string, error) {
		for _, c := range choices {
			if strings.EqualFold(c, text) {
				return c, nil
			}
		}
		return "", &ChoiceError{Text: text, Choices: choices}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
