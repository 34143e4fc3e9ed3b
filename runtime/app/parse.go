package app

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration as scripts and settings write it: seconds (90, 0.5) or parts with a unit (10s, 1h30m, 7d, 250ms).
// It is never negative.
func ParseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("expected a duration like 10s, 1h30m, 7d, or a number of seconds")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 || seconds > math.MaxInt64/float64(time.Second) {
			return 0, bad
		}
		return time.Duration(math.Round(seconds * float64(time.Second))), nil
	}
	var total float64
	rest := text
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		letters := len(rest[digits:]) - len(strings.TrimLeft(rest[digits:], "abcdefghijklmnopqrstuvwxyzµ"))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		unit, ok := durationUnit(rest[digits : digits+letters])
		if err != nil || !ok {
			return 0, bad
		}
		total += n * float64(unit)
		rest = rest[digits+letters:]
	}
	if text == "" || total > math.MaxInt64 {
		return 0, bad
	}
	return time.Duration(math.Round(total)), nil
}

func durationUnit(name string) (time.Duration, bool) {
	switch name {
	case "ns":
		return time.Nanosecond, true
	case "us", "µs":
		return time.Microsecond, true
	case "ms":
		return time.Millisecond, true
	case "s":
		return time.Second, true
	case "m":
		return time.Minute, true
	case "h":
		return time.Hour, true
	case "d":
		return 24 * time.Hour, true
	case "w":
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}

// FormatDuration writes d as ParseDuration reads it, without empty parts: 1h30m, 7d, 250ms.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.size; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.size
		}
	}
	if d > 0 {
		b.WriteString(d.String())
	}
	return b.String()
}

// ParseSize reads a number of bytes: 1024, 64KiB, 1.5MiB, 2GiB, or with decimal units 64kB, 1MB.
func ParseSize(text string) (int64, error) {
	bad := errors.New("expected a size like 64KiB, 1MiB, 500kB, or a number of bytes")
	number := strings.TrimRight(text, "BKMGTbkmgti ")
	unit, ok := sizeUnit(strings.TrimSpace(text[len(number):]))
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || math.IsNaN(n) || n < 0 || n*float64(unit) >= math.MaxInt64 {
		return 0, bad
	}
	bytes := n * float64(unit)
	if bytes != math.Trunc(bytes) {
		return 0, errors.New("expected a whole number of bytes")
	}
	return int64(bytes), nil
}

func sizeUnit(name string) (int64, bool) {
	switch strings.ToLower(name) {
	case "", "b":
		return 1, true
	case "kib":
		return 1 << 10, true
	case "mib":
		return 1 << 20, true
	case "gib":
		return 1 << 30, true
	case "tib":
		return 1 << 40, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	case "tb":
		return 1e12, true
	}
	return 0, false
}

// ParseBool reads true, yes, on, 1 and false, no, off, 0, in any case.
func ParseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, errors.New("expected true or false")
}

// parseID keeps to what Kafka allows in a topic's name, with room for the suffixes of internal topics.
func parseID(text string) (string, error) {
	if ok, _ := regexp.MatchString(`^[A-Za-z0-9._-]{1,150}$`, text); !ok || text == "." || text == ".." {
		return "", errors.New("expected up to 150 letters, digits, '.', '_' and '-'")
	}
	return text, nil
}

// parseBroker looks at the scheme only; package broker reads the rest.
func parseBroker(text string) (string, error) {
	scheme, rest, colon := strings.Cut(text, ":")
	kafka := colon && (scheme == "kafka" || scheme == "kafka+tls")
	host := strings.TrimLeft(rest, "/")
	switch _, err := strconv.Atoi(rest); {
	case text == "", text == "embedded:", text == "embedded:inprocess":
		return text, nil
	case text == "embedded":
		return "embedded:", nil
	case kafka && strings.HasPrefix(rest, "//") && len(rest) > 2:
		return text, nil
	case kafka && host == "":
	case kafka && err != nil: // else it is a host called kafka, and a port
		return "", fmt.Errorf("expected a URL with two slashes: %s", redactURL(scheme+"://"+host))
	case !strings.Contains(text, "://") && !strings.HasPrefix(text, "embedded"):
		return "", fmt.Errorf("expected a URL: kafka://%s", redactURL(text))
	}
	return "", errors.New("expected kafka://host:9092, kafka+tls://host:9093, embedded: or embedded:inprocess")
}

func parseReplication(text string) (int16, error) {
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil || n < -1 || n == 0 {
		return 0, errors.New("expected a whole number from 1, or -1 for the broker's default")
	}
	return int16(n), nil
}

func parseMessageBytes(text string) (int, error) {
	n, err := ParseSize(text)
	if err != nil {
		return 0, err
	}
	if n < 1<<10 || n > 1<<30 {
		return 0, errors.New("expected a size from 1KiB to 1GiB")
	}
	return int(n), nil
}

func parsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errors.New("expected a port from 0 to 65535")
	}
	return int(n), nil
}

func parseHost(text string) (string, error) {
	if net.ParseIP(strings.Trim(text, "[]")) != nil {
		return strings.Trim(text, "[]"), nil
	}
	if ok, _ := regexp.MatchString(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`, text); !ok {
		return "", errors.New("expected an address without port, like 127.0.0.1, 0.0.0.0 or a host name")
	}
	return text, nil
}

// parseAdvertise takes a host, host:port, or the URL of what stands before the worker.
func parseAdvertise(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	bad := errors.New("expected an address like 10.0.0.7, worker-1:6066 or http://worker-1:6066")
	host := text
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if host = strings.TrimSuffix(rest, "/"); scheme != "http" && scheme != "https" {
			return "", bad
		}
	}
	if h, port, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", bad
		}
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil && ip.IsUnspecified() {
		return "", errors.New("expected an address that others can reach, not that of all interfaces")
	}
	if _, err := parseHost(host); err != nil {
		return "", bad
	}
	return text, nil
}

func parseZone(text string) (*time.Location, error) {
	if text == "" || text == "Local" {
		return nil, errors.New("expected the name of a time zone, like UTC or Europe/Oslo")
	}
	zone, err := time.LoadLocation(text)
	if err != nil {
		return nil, errors.New("expected the name of a time zone, like UTC or Europe/Oslo")
	}
	return zone, nil
}
