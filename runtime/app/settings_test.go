package app

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"faust/tests/seed"
)

func TestResolveDefaults(t *testing.T) {
	t.Parallel()
	s, err := Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "app" || s.Version != 1 || s.Datadir != "./.faust" || s.TopicPartitions != 8 || s.ReplicationFactor != -1 ||
		s.CommitInterval != time.Second || s.SessionTimeout != 10*time.Second || s.MaxMessageBytes != 1<<20 || s.MaxFailures != 100 ||
		s.WebPort != 6066 || s.WebBind != "127.0.0.1" || !s.WebEnabled || s.LogLevel != "warn" || s.LogFormat != "auto" ||
		s.Grace != 20*time.Second || s.Timezone != time.UTC || !s.Strict || s.AutoOffsetReset != "earliest" {
		t.Errorf("defaults: %+v", s)
	}
	if o, set := s.Origin("web_port"); set || o != DefaultOrigin {
		t.Errorf("origin of a default: %v %v", o, set)
	}
}

func TestResolveStrongestLayerWins(t *testing.T) {
	t.Parallel()
	flags := Layer{Origin: func(n string) Origin { return Origin("--" + strings.ReplaceAll(n, "_", "-")) }, Values: map[string]string{"web_port": "7000"}}
	env := LayerOf("environment", map[string]string{"web_port": "7001", "grace": "5"})
	script := LayerOf("app.configure (app.lua:3)", map[string]string{"web_port": "7002", "grace": "1m", "max_message_bytes": "64MiB"})
	s, err := Resolve(flags, env, script, FileLayer("/x/shop/app.lua"))
	if err != nil {
		t.Fatal(err)
	}
	if s.WebPort != 7000 || s.Grace != 5*time.Second || s.MaxMessageBytes != 64<<20 || s.ID != "shop" {
		t.Errorf("got %d %s %d %s", s.WebPort, s.Grace, s.MaxMessageBytes, s.ID)
	}
	for name, want := range map[string]Origin{"web_port": "--web-port", "grace": "environment", "max_message_bytes": "app.configure (app.lua:3)"} {
		if got, set := s.Origin(name); got != want || !set {
			t.Errorf("origin of %s: %q, %v", name, got, set)
		}
	}
	if _, set := s.Origin("id"); set {
		t.Error("an id derived from the file counts as set")
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"web_port", "65536", "expected a port from 0 to 65535"},
		{"web_port", "http", "expected a port"},
		{"grace", "soon", "expected a duration like 10s"},
		{"grace", "-1", "expected a duration like 10s"},
		{"commit_interval", "0", "expected a duration from 1ms to 10m"},
		{"max_message_bytes", "64M", "expected a size like"},
		{"max_message_bytes", "10", "expected a size from 1KiB to 1GiB"},
		{"topic_partitions", "0", "expected a whole number from 1 to 10000"},
		{"version", "0", "expected a whole number, 1 or more"},
		{"replication_factor", "0", "or -1 for the broker's default"},
		{"processing_guarantee", "maybe", "expected one of: at_least_once, exactly_once"},
		{"standby_replicas", "-1", "expected a whole number from 0 to 100"},
		{"auto_offset_reset", "middle", "expected one of: earliest, latest"},
		{"loglevel", "loud", "expected one of: debug, info, warn, error"},
		{"loglevel", "warn,agent.orders", "'agent.orders' has no level"},
		{"loglevel", "warn,agent.orders=loud", "expected one of: debug, info, warn, error"},
		{"loglevel", "warn,agnt.orders=info", "expected one of: agent, topic, task, timer, page, kafka"},
		{"loglevel", "kafka.x=info", "kafka has no parts"},
		{"log_format", "xml", "expected one of: auto, text, json, logfmt"},
		{"timezone", "Europe/Nowhere", "expected the name of a time zone"},
		{"web_enabled", "maybe", "expected true or false"},
		{"web_bind", "127.0.0.1:80", "expected an address without port"},
		{"web_advertise", "ftp://x", "expected an address like"},
		{"web_advertise", "x:99999", "expected an address like"},
		{"web_advertise", "http://x:6066/path", "expected an address like"},
		{"web_advertise", "0.0.0.0:80", "not that of all interfaces"},
		{"id", "a b", "expected up to 150 letters"},
		{"broker", "localhost:9092", "expected a URL: kafka://localhost:9092"},
		{"broker", "me@localhost", "expected a URL: kafka://me@localhost"},
		{"broker", "kafka:9092", "expected a URL: kafka://kafka:9092"},
		{"broker", "kafka:/x", "expected a URL with two slashes: kafka://x"},
		{"broker", "kafka+tls:/x:9093", "expected a URL with two slashes: kafka+tls://x:9093"},
		{"broker", "kafka:x", "expected a URL with two slashes: kafka://x"},
		{"broker", "kafka:/", "expected kafka://host:9092"},
		{"broker", "http://x", "expected kafka://host:9092"},
		{"broker", "kafka://", "expected kafka://host:9092"},
		{"datadir", "", "may not be empty"},
	} {
		_, err := Resolve(LayerOf("--test", map[string]string{c.name: c.value}))
		var bad *SettingError
		if !errors.As(err, &bad) {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
			continue
		}
		if bad.Name != c.name || bad.Value != c.value || bad.Origin != "--test" || !strings.Contains(bad.Reason, c.want) {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
}

func TestResolveUnknownName(t *testing.T) {
	t.Parallel()
	_, err := Resolve(LayerOf("app.configure (app.lua:1)", map[string]string{"web_prot": "1"}))
	var unknown *UnknownSettingError
	if !errors.As(err, &unknown) || unknown.Name != "web_prot" || len(unknown.Known) < 25 {
		t.Fatalf("got %v", err)
	}
}

func TestSecretsAreShownNowhere(t *testing.T) {
	t.Parallel()
	s, err := Resolve(LayerOf("FAUST_BROKER_PASSWORD", map[string]string{"broker_password": "hunter2", "web_token": "t0ken"}))
	if err != nil {
		t.Fatal(err)
	}
	if s.BrokerPassword != "hunter2" {
		t.Error("the password is lost")
	}
	for _, v := range s.Values() {
		if strings.Contains(v.Text, "hunter2") || strings.Contains(v.Text, "t0ken") {
			t.Errorf("%s shows %s", v.Name, v.Text)
		}
	}
	s, err = Resolve(LayerOf("--broker", map[string]string{"broker": "kafka+tls://me:hunter2@host:9093?sasl=plain"}))
	if err != nil || !strings.Contains(s.Broker, "hunter2") {
		t.Fatalf("the password is lost: %v", err)
	}
	if v, _ := s.Value("broker"); v.Text != "kafka+tls://me:***@host:9093?sasl=plain" {
		t.Errorf("broker is shown as %s", v.Text)
	}
	_, err = Resolve(LayerOf("--broker", map[string]string{"broker": "amqp://me:hunter2@host"}))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "me:***@host") {
		t.Errorf("got %v", err)
	}
}

func TestSchemaIsComplete(t *testing.T) {
	t.Parallel()
	envs, shorts := map[string]string{}, map[string]string{}
	for _, d := range Schema() {
		if d.Help == "" || d.Kind == "" {
			t.Errorf("%s lacks help or kind", d.Name)
		}
		if other, taken := envs[d.Env]; taken {
			t.Errorf("%s and %s share %s", d.Name, other, d.Env)
		}
		envs[d.Env] = d.Name
		if d.Short != "" {
			if other, taken := shorts[d.Short]; taken {
				t.Errorf("%s and %s share -%s", d.Name, other, d.Short)
			}
			shorts[d.Short] = d.Name
		}
	}
	if envs["FAUST_BROKER_URL"] != "broker" || envs["FAUST_WEB_PORT"] != "web_port" {
		t.Errorf("environment names: %v", envs)
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	s := &Settings{ID: "simple", Version: 2}
	for name, want := range map[string]string{
		"simple-v2-track-dead-letter": "track", "simple-v2-a-dead-letter-dead-letter": "a-dead-letter", "simple-track-dead-letter": "", "simple-v2-dead-letter": "",
		"simple-v2--dead-letter": "", "simple-v2-track": "", "track-dead-letter": "", "simple-v2-track-dead-letters": "",
	} {
		if got, ok := s.Owner(name, "dead-letter"); ok != (want != "") || ok && (got != want || s.Internal(got, "dead-letter") != name) {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

func TestGroupID(t *testing.T) {
	t.Parallel()
	s := &Settings{ID: "simple", Version: 1}
	if got := s.Internal("track", "dead-letter"); got != "simple-track-dead-letter" {
		t.Error(got)
	}
	s.Version = 3
	if got := s.Internal("leader"); got != "simple-v3-leader" || s.GroupID() != "simple-v3" {
		t.Error(got)
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"10": 10 * time.Second, "0.5": 500 * time.Millisecond, "10s": 10 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour,
		"250ms": 250 * time.Millisecond, "1.5h": 90 * time.Minute, "2w": 336 * time.Hour, "0": 0, "5us": 5 * time.Microsecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "s", "10x", "10 s", "1h-3m", "nan", "inf", "1e400", "99999999999d", "..s", "10S"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(seed.Of(t), 1))
	for range 2000 {
		d := time.Duration(r.Int64N(int64(100*24*time.Hour))) >> r.IntN(40)
		if got, err := ParseDuration(FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%d written %s read %d, %v", d, FormatDuration(d), got, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1024": 1024, "64KiB": 65536, "1.5MiB": 3 << 19, "2 GiB": 2 << 30, "64kB": 64000, "1mb": 1000000, "7B": 7, "0": 0} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MiB", "64M", "-1", "1.5", "nan", "1e30", "1 xB", "1KKiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDefaultID(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"hello.lua": "hello", "/a/shop/app.lua": "shop", "/a/shop/main.lua": "shop", "/a/b/init.lua": "b", "x/my app.lua": "my-app",
		"/app.lua": "app", "ünï.lua": "n", "/tmp/-.lua": "app", "word.count.lua": "word.count",
	} {
		if got := DefaultID(file); got != want {
			t.Errorf("%s: %s, not %s", file, got, want)
		}
		if _, err := Resolve(FileLayer(file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	if !Reserved("worker") || !Reserved("clean-versions") || Reserved("produce") || Reserved("pay") || Reserved("") {
		t.Error("reserved names")
	}
}

func TestBrokerWithoutSchemeShowsNoPassword(t *testing.T) {
	t.Parallel()
	_, err := Resolve(LayerOf("--broker", map[string]string{"broker": "me:hunter2@host:9092"}))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "kafka://me:***@host:9092") {
		t.Errorf("%v", err)
	}
}
