package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"faust/runtime/web"
)

// PortError is an address that the web server of a worker cannot have.
type PortError = web.PortError

// site is the worker's web server: pages, health and metrics.
type site struct {
	server *web.Server
	cancel context.CancelFunc
	done   chan struct{}
}

// openSite binds the port and serves. nil: the app has no web server.
func (r *run) openSite() (*site, error) {
	if !r.set.WebEnabled {
		return nil, nil
	}
	_, explicit := r.set.Origin("web_port")
	server, err := web.Open(web.Config{
		Pages: r.app.Pages, Bind: r.set.WebBind, Port: r.set.WebPort, Explicit: explicit, Token: r.set.WebToken,
		Logger: r.log, Registry: r.metrics.registry, Live: r.live, Ready: r.checks, Listen: r.cfg.Listen,
		API: r.api, Failed: r.report.page, Dial: r.cfg.Dial,
		Development: r.cfg.Render != nil, Render: r.cfg.Render, Grace: max(r.set.Grace/4, minRest),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.soft))
	s := &site{server: server, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		r.guard(server.Run(ctx))
	}()
	return s, nil
}

// url is where the pages are, "" without a web server.
func (s *site) url() string {
	if s == nil {
		return ""
	}
	return s.server.URL() + "/"
}

// close lets the pages that run finish and releases the port.
func (s *site) close() {
	if s != nil {
		s.cancel()
		<-s.done
	}
}

// live is the answer of /livez: an error while a task runs Lua for so long that nothing else can.
func (r *run) live() error {
	if task, place, held := r.watch.held(); held > holdDead {
		return fmt.Errorf("%s has run at %s for %d s without waiting", task, place, int(held.Seconds()))
	}
	return nil
}

// checks are the conditions of /readyz.
func (r *run) checks() []web.Check {
	r.mu.Lock()
	operational, stopping := r.operational, r.stopping
	r.mu.Unlock()
	list := []web.Check{check("running", condition(!stopping, "the worker stops"))}
	if r.needsBroker() {
		list = append(list, check("broker", r.brokerUp()))
	}
	if r.consumes() {
		list = append(list, check("partitions", condition(operational && r.member(), "no partitions assigned yet")))
		list = append(list, check("agents", condition(len(r.report.reasons()) == 0, strings.Join(r.report.reasons(), "; "))))
	}
	if r.state.used() {
		list = append(list, check("tables", r.state.waits()))
	}
	if off := slices.Sorted(maps.Keys(r.fetch.pausedAgents())); len(off) > 0 {
		list = append(list, web.Check{Name: "paused", OK: true, Reason: "paused by a person: agent " + strings.Join(off, ", agent ")})
	}
	return list
}

func check(name string, err error) web.Check {
	c := web.Check{Name: name, OK: err == nil}
	if err != nil {
		c.Reason = err.Error()
	}
	return c
}

func condition(ok bool, reason string) error {
	if ok {
		return nil
	}
	return errors.New(reason)
}

// member tells whether the worker is in the group now.
func (r *run) member() bool {
	group := r.group.Load()
	if group == nil {
		return false
	}
	member, _ := group.Member()
	return member != ""
}

// brokerUp looks whether the broker can be used. What it sees, the log says too.
func (r *run) brokerUp() error { return r.outage.look(r.work) }
