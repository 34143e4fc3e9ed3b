package luabind_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"faust/luabind"
	"faust/luabind/fault"
)

// shared is a buffer that several tasks may write to.
type shared struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// A log line says which agent wrote it and about which message, unless its fields say so themselves.
func TestLogSaysWhoWrote(t *testing.T) {
	t.Parallel()
	out := &shared{}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	s := loadWith(t, `
		local numbers, done = app.topic('in'), app.topic('out')
		log.info 'loading'
		app.agent('adder', numbers, function(stream)
			log.info('begins')
			for v in stream do
				log.info('got', { v = v })
				log.info('got', { topic = 'mine', offset = 'x' })
				parallel { function() log.warn('beside') end }
				done:send { value = v }
			end
			log.info('ends')
		end)
		app.task(function() log.info('task', { a = 1 }) end)`, luabind.Config{Log: log})
	s.check()
	lines(t, s, "adder", 1, json("1")...)
	want := `level=INFO msg=loading
level=INFO msg=task a=1
level=INFO msg=begins agent=adder
level=INFO msg=got agent=adder topic=in partition=0 offset=0 v=1
level=INFO msg=got agent=adder partition=0 offset=x topic=mine
level=WARN msg=beside agent=adder topic=in partition=0 offset=0
level=INFO msg=ends agent=adder
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSecretSettings(t *testing.T) {
	t.Parallel()
	hidden := &fault.Secrets{}
	cfg := luabind.Config{Secrets: map[string]string{"PASSWORD": "hunter2-long"}, Hidden: hidden}
	s, err := luabind.Load(write(t, `
		local password = env.secret 'PASSWORD'
		app.configure { broker = 'kafka://me:' .. password .. '@h:9092', broker_password = password, web_token = password }
		assert(app.conf.broker == 'kafka://me:***@h:9092' and app.conf.web_token == '***')`), cfg)
	if err != nil {
		t.Fatal(render(err))
	}
	defer s.Close()
	set := s.App.Settings
	if set.Broker != "kafka://me:hunter2-long@h:9092" || set.BrokerPassword != "hunter2-long" || set.WebToken != "hunter2-long" {
		t.Errorf("the secret does not reach the settings: %q %q %q", set.Broker, set.BrokerPassword, set.WebToken)
	}
	for _, v := range set.Values() {
		if strings.Contains(v.Text, "hunter2") {
			t.Errorf("%s is shown as %s", v.Name, v.Text)
		}
	}
	for src, want := range map[string]string{
		`app.configure { id = env.secret 'PASSWORD' }`:                             "setting 'id' is shown in banner and logs, so it cannot be a secret",
		`app.configure { web_port = env.secret 'PASSWORD' }`:                       "setting 'web_port' is shown in banner and logs, so it cannot be a secret",
		`app.configure { broker = 'amqp://me:' .. env.secret 'PASSWORD' .. '@h' }`: "setting 'broker' cannot be 'amqp://me:***@h'",
		`local t = app.topic('t') app.topic(env.secret 'PASSWORD')`:                "the topic's name is a secret, expected a string",
	} {
		s, err := luabind.Load(write(t, src), cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s loads", src)
			continue
		}
		if text := render(err); !strings.Contains(text, want) || strings.Contains(text, "hunter2") {
			t.Errorf("%s\n got %s\nwant %s", src, text, want)
		}
	}
}

// A secret is no value to send to a topic.
func TestSecretsAreNotSent(t *testing.T) {
	t.Parallel()
	s := loadWith(t, `
		local any, Login = app.topic('any'), app.record('Login', { token = 'string' })
		local typed = app.topic('typed', { value = Login })
		app.task(function()
			local key = env.secret 'KEY'
			for text, f in pairs {
				["not JSON: 'value.token' is a secret, whose text only what sends it may have"] = function() any:send { value = { token = key } } end,
				["'token' is a secret, expected string"] = function() typed:send { value = { token = key } } end,
				["a secret"] = function() any:send { key = key, value = 1 } end,
			} do
				local ok, err = pcall(f)
				assert(not ok and err.message:find(text, 1, true) and not err.message:find('k-123', 1, true), tostring(err))
			end
		end)`, luabind.Config{Secrets: map[string]string{"KEY": "k-12345"}})
	s.check()
	if len(s.sent) > 0 {
		t.Errorf("sent: %q", values(s.sent))
	}
}

// An error of an agent goes into dead letters and answers to other processes: it has no secret in it.
func TestSecretsInErrorsOfAgents(t *testing.T) {
	t.Parallel()
	s := loadWith(t, `
		app.agent('adder', app.topic('in'), function(stream)
			local key = env.secret 'KEY'
			for v in stream do error(('k-%d is wrong'):format(v)) end
		end)`, luabind.Config{Secrets: map[string]string{"KEY": "k-12345"}, Hidden: &fault.Secrets{}})
	deliver, drain := s.agent("adder")
	deliver(json("12345")...)
	s.until("settled", func() bool { return len(s.settled) == 1 })
	if err := drain(); err != nil {
		t.Fatal(render(err))
	}
	if len(s.failed) != 1 || !strings.Contains(s.failed[0], "*** is wrong") {
		t.Errorf("reported %q", s.failed)
	}
	for _, h := range s.settled[0].Headers {
		if strings.Contains(string(h.Value), "12345") {
			t.Errorf("the dead letter has %s: %s", h.Key, h.Value)
		}
	}
}
