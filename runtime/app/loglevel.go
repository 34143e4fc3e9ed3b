package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LogLevels is the loglevel setting taken apart: a level, and levels of parts that differ from it.
type LogLevels struct {
	Level string // debug, info, warn, error
	Parts []LogPart
}

// LogPart is the level of what the log says of one agent, topic, task, timer or page; with Name "" of all of them; or, with Key "kafka", of
// what the Kafka client says.
type LogPart struct{ Key, Name, Level string }

func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

// logParts are the keys of log lines that parts go by.
func logParts() []string { return []string{"agent", "topic", "task", "timer", "page", "kafka"} }

// Levels takes LogLevel apart.
func (s *Settings) Levels() LogLevels {
	levels, _ := parseLogLevels(s.LogLevel) // checked when it was set
	return levels
}

// parseLogLevels reads a level, or levels of parts: warn,agent.orders=debug,kafka=error. Without a level it is the default's, warn.
func parseLogLevels(text string) (LogLevels, error) {
	levels := LogLevels{Level: "warn"}
	for i, word := range strings.Split(text, ",") {
		part, level, divided := strings.Cut(strings.TrimSpace(word), "=")
		if !divided {
			if i > 0 {
				return levels, fmt.Errorf("'%s' has no level: the general level comes first, then part=level", part)
			}
			level = part
		}
		name, err := oneOf(logLevels())(strings.TrimSpace(level))
		if err != nil {
			return levels, err
		}
		if !divided {
			levels.Level = name
			continue
		}
		p := LogPart{Level: name}
		p.Key, p.Name, _ = strings.Cut(strings.TrimSpace(part), ".")
		if !slices.Contains(logParts(), p.Key) {
			return levels, &ChoiceError{Text: p.Key, Choices: logParts()}
		}
		if p.Key == "kafka" && p.Name != "" {
			return levels, errors.New("kafka has no parts: kafka=level")
		}
		levels.Parts = append(levels.Parts, p)
	}
	return levels, nil
}

// parseLogLevel checks a loglevel.
func parseLogLevel(text string) (string, error) {
	_, err := parseLogLevels(text)
	if !strings.Contains(text, "=") {
		text = strings.ToLower(text)
	}
	return text, err
}
