package worker

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"faust/runtime/broker"
	"faust/runtime/table"
)

// advertise tells at which URL other workers reach this one; "": it has no web server. Bound to all addresses, it is the one that this machine has towards the broker.
func (r *run) advertise(ctx context.Context, seeds []string) string {
	if r.site == nil {
		return ""
	}
	given := strings.TrimSuffix(r.set.WebAdvertise, "/")
	if strings.Contains(given, "://") {
		return given
	}
	_, port, _ := net.SplitHostPort(r.site.server.Addr().String())
	host := strings.Trim(given, "[]")
	if h, p, err := net.SplitHostPort(given); err == nil {
		host, port = h, p
	}
	if host == "" {
		host = r.set.WebBind
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = ownAddress(ctx, seeds)
		}
	}
	return "http://" + net.JoinHostPort(host, port)
}

// addressTimeout bounds the look-up of the broker's name.
const addressTimeout = 2 * time.Second

// ownAddress is the address of this machine that is used towards the broker, or its name. Nothing is sent.
func ownAddress(ctx context.Context, seeds []string) string {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	for _, seed := range seeds {
		if c, err := (&net.Dialer{}).DialContext(ctx, "udp", seed); err == nil {
			host, _, _ := net.SplitHostPort(c.LocalAddr().String())
			c.Close()
			return host
		}
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "127.0.0.1"
}

// loopback tells whether a URL is reached on this machine only.
func loopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// home is app.Runtime's Home.
func (s *state) home(t *table.Definition, partition int32) (string, error) {
	s.mu.RLock()
	recovers := s.hands[shardKey{t, partition}] != nil
	s.mu.RUnlock()
	group := s.run.group.Load()
	switch {
	case recovers:
		return "", errors.New("the worker that has it recovers the table")
	case group == nil:
		return "", errors.New("the worker starts")
	}
	owner, ok := group.ShardOwner(broker.Shard{Table: t.Name, Partition: partition})
	switch {
	case !ok || owner == s.run.url && owner != "":
		return "", errors.New("no worker has it for the moment")
	case owner == "":
		return "", errors.New("the worker that has it has no web server")
	}
	return owner, nil
}

// neighbours warns, once, if the workers of the group cannot reach each other by what they advertise. It is called on the group's goroutine.
func (s *state) neighbours() {
	r := s.run
	group := r.group.Load()
	if s.warned || !s.used() || r.url == "" || group == nil {
		return
	}
	far := slices.DeleteFunc(group.URLs(), func(u string) bool { return u == "" || loopback(u) })
	switch {
	case loopback(r.url) && len(far) > 0:
		r.log.Warn("workers on other machines cannot reach this one: pages with table= will fail; set web_bind or web_advertise", "advertised", r.url, "others", far)
	case s.doubled(group):
		r.log.Warn("another worker advertises the address of this one: pages with table= will fail; set web_bind or web_advertise", "advertised", r.url)
	default:
		return
	}
	s.warned = true
}

// doubled tells whether this worker's URL is said to have a partition that this worker was not given.
func (s *state) doubled(group *broker.Group) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for t, n := range s.counts {
		for p := range n {
			owner, ok := group.ShardOwner(broker.Shard{Table: t.Name, Partition: p})
			if ok && owner == s.run.url && s.hands[shardKey{t, p}] == nil {
				return true
			}
		}
	}
	return false
}
