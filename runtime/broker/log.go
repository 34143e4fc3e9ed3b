package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clientLogger writes the Kafka client's log. Its "info" tells every step of every rebalance, which is our debug.
type clientLogger struct{ log *slog.Logger }

func (l clientLogger) Level() kgo.LogLevel {
	ctx := context.Background()
	switch {
	case l.log.Enabled(ctx, slog.LevelDebug):
		return kgo.LogLevelInfo
	case l.log.Enabled(ctx, slog.LevelWarn):
		return kgo.LogLevelWarn
	case l.log.Enabled(ctx, slog.LevelError):
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	}
	l.log.Log(context.Background(), to, msg, append(keyvals, "from", "kafka")...)
}

// serverLogger writes the embedded broker's log.
type serverLogger struct{ log *slog.Logger }

func (l serverLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded broker", "what", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded broker", "what", fmt.Sprintf(format, args...))
	}
}

// tolerant registers what is not registered yet and later takes away only that, so that two clients of the same kind in one process
// (a group that is joined again) do not panic; the first one is counted.
type tolerant struct {
	prometheus.Registerer
	mine map[prometheus.Collector]bool
}

func (t *tolerant) Register(c prometheus.Collector) error {
	err := t.Registerer.Register(c)
	if err == nil {
		if t.mine == nil {
			t.mine = map[prometheus.Collector]bool{}
		}
		t.mine[c] = true
	}
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		return nil
	}
	return err
}

func (t *tolerant) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := t.Register(c); err != nil {
			panic(err)
		}
	}
}

func (t *tolerant) Unregister(c prometheus.Collector) bool {
	return t.mine[c] && t.Registerer.Unregister(c)
}
