package broker

import (
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// steward keeps rebalances of the embedded broker going when members die or leave in the middle of one. The broker behind it
//   - keeps a member whose connection ends while it waits for the others to join, and then nobody ends the wait but the rebalance time-out;
//   - takes a member for dead whose wait lasts longer than its session, and never answers it;
//   - counts wrongly when a member goes while it waits for its assignment, so that the next join never completes by itself.
//
// So the steward lets the first leave, sends heartbeats for the second, and holds back who leaves until nobody waits for an assignment.
type steward struct {
	dial    func() net.Conn                           // a connection to the broker from within; nil: it closes
	cluster func(f func(cluster *kfake.Cluster)) bool // runs f unless the broker closes

	mu      sync.Mutex
	waiting map[*guard]wait
	stopped bool
	stop    chan struct{}
	done    sync.WaitGroup
}

// wait is a member that waits for the answer to JoinGroup or SyncGroup.
type wait struct {
	group, member string
	leaving       bool // its connection has ended
}

const (
	// stewardEvery is how often waiting members get a heartbeat; the shortest session is six seconds.
	stewardEvery = time.Second
	// leaveWithin bounds how long a leave is held back; after a session the broker ends the wait for the assignment itself.
	leaveWithin = 15 * time.Second
)

func newSteward(dial func() net.Conn, cluster func(func(*kfake.Cluster)) bool) *steward {
	s := &steward{dial: dial, cluster: cluster, waiting: map[*guard]wait{}, stop: make(chan struct{})}
	s.done.Go(s.run)
	return s
}

// close ends the steward; it waits for what is under way if the broker still answers.
func (s *steward) close(answers bool) {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	close(s.stop)
	if answers {
		s.done.Wait()
	}
}

// asked is called with every request of a group member before the broker gets its last byte.
func (s *steward) asked(g *guard, req kmsg.Request) {
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		s.add(g, wait{group: req.Group, member: req.MemberID})
	case *kmsg.SyncGroupRequest:
		s.add(g, wait{group: req.Group, member: req.MemberID})
	case *kmsg.LeaveGroupRequest:
		s.hold(req.Group)
	}
}

func (s *steward) add(g *guard, w wait) {
	if w.member == "" { // it is given an id at once
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[g] = w
}

// answered is called before the broker answers on a connection.
func (s *steward) answered(g *guard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting[g].leaving {
		delete(s.waiting, g)
	}
}

// lost is called when a connection ends.
func (s *steward) lost(g *guard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.waiting[g]
	if !ok || w.leaving || s.stopped {
		return
	}
	w.leaving = true
	s.waiting[g] = w
	s.done.Go(func() {
		s.leave(w)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, g)
	})
}

func (s *steward) leave(w wait) {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.SetVersion(3)
	req.Group = w.group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = w.member
	req.Members = append(req.Members, m)
	s.send(req)
}

// send makes a request of its own. What comes of it does not matter: the member may be gone already.
func (s *steward) send(req kmsg.Request) {
	conn := s.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * leaveWithin))
	_ = roundTrip(conn, req, nil)
}

// hold waits until no member of the group waits for an assignment.
func (s *steward) hold(group string) {
	deadline := time.Now().Add(leaveWithin)
	for time.Now().Before(deadline) {
		assigning := false
		open := s.cluster(func(c *kfake.Cluster) {
			info := c.GroupInfo(group)
			assigning = info != nil && info.State == "CompletingRebalance"
		})
		if !open || !assigning {
			return
		}
		select {
		case <-s.stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// run sends heartbeats for those who wait.
func (s *steward) run() {
	tick := time.NewTicker(stewardEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		for _, w := range s.waits() {
			s.beat(w)
		}
	}
}

func (s *steward) waits() []wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]wait, 0, len(s.waiting))
	for _, w := range s.waiting {
		out = append(out, w)
	}
	return out
}

func (s *steward) beat(w wait) {
	var info *kfake.GroupInfo
	if !s.cluster(func(c *kfake.Cluster) { info = c.GroupInfo(w.group) }) || info == nil {
		return
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.SetVersion(3)
	req.Group, req.MemberID, req.Generation = w.group, w.member, info.Epoch
	s.send(req)
}
